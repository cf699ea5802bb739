// Package offsetspec reads the places in a log at which reading begins and
// ends, as users of rpk and kcat type them.
//
//	start  end        the oldest record that is kept; what comes next
//	N                 offset N
//	-N  +N            N records before the end; N records after the start
//	N:M  N:  :M       from N, until M, which is not read
//	:end  -10:end     until the end as it is now; any of the above on either side
//	@TIME             the first record at that time or later
//	@T1:T2 @T1: @:T2  from and until a time; @T1:end until the end as it is now
//	10:@T  @T:@T      a time on one side needs its @ there
//
// A side that is left out has no bound: the reader's default start, no end.
//
// TIME is one of
//
//	1767225600000         13 digits: unix milliseconds
//	1767225600            10 digits: unix seconds
//	1767225600000000000   19 digits: unix nanoseconds
//	2026-01-02            a day, at its beginning, local time
//	2026-01-02T03:04:05   local time; the seconds may be missing
//	2026-01-02T03:04:05Z  RFC 3339, with a fraction or an offset if need be
//	-5m  -1h30m  -2d      before now (units: w d h m s ms us ns)
//	+5m                   after now
//	5m                    as T2 only: after T1, or after now where T1 is a duration
//
// As in rpk, @-48h:-24h is the day before yesterday, and @2026-01-02:1h an hour
// of that day. Other names mean the same as in the tools they come from:
// beginning, earliest and oldest are start, latest and newest are end, stored
// is the committed offset of the group. kcat's s@TIME and e@TIME give the two
// sides, alone or as s@A,e@B; as in kcat, digits are milliseconds there, however
// many there are.
package offsetspec
