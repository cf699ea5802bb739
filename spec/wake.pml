/*
 * Sleeping and waking: the flag, the sequence, consumers and producers that die.
 *
 * Mirrors File.Signal, raise, sleep and kick (internal/wake/wake.go), the wait of one
 * consumer a process (Room.sleep; room.pml has several), and afterRelease
 * (writer/append.go). Consumers of durable records wait for another word, with the same
 * calls (syncer.once).
 *
 * No counter is kept, so that appends need no bound: of the committed records a consumer
 * knows whether there are some that it has not seen (news), and of the sequence whether
 * it has moved since it was loaded (moved).
 *
 * Holds, with NO_TIMEOUT and DEATHS 0: nobody is left asleep although there is news, and
 *   once an append is over, and no other is between its commit and its wake, nobody
 *   sleeps on news at all.
 * Holds, with NO_TIMEOUT and deaths anywhere but between commit and wake (SPARE_WINDOW):
 *   the same. And with the bound and deaths anywhere: nobody is left asleep.
 * Holds, with QUICK, NO_TIMEOUT and DEATHS 0: the same, but that the ticker has come since. With
 *   it a producer may look at the flag before the consumers see its commit, as a processor does
 *   that does not wait in between, and leaves another look to its ticker (Writer.afterLone).
 * So a producer killed between its commit and its wake is the one cause for which the
 * sleep has a bound. If it was killed there before it lowered the flag, the next append
 * of anybody makes up for it (SPARE_SWAP); behind that, the bound alone.
 */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef CONSUMERS
#define CONSUMERS 2             /* 1 to 3 */
#endif
#ifndef DEATHS
#define DEATHS 2
#endif

#ifndef CANCELLER
#define CANCELLER 0             /* 1: wakes for nothing, as often as it likes */
#endif

#define me _pid                 /* init is 0; then the producers; then the consumers */

bit flag;                       /* in the file wake */
byte news[CONSUMERS];                 /* records are committed that the consumer has not seen */
bit moved[CONSUMERS];                 /* sequence is not any more what the consumer loaded */
bit asleep[CONSUMERS];                /* on the sequence */
bool killed[PRODUCERS + CONSUMERS + 1];
bool owes[PRODUCERS + 1];       /* committed, and did not come to the end of its wake */
bool lowered[PRODUCERS + 1];    /* the same, and took the flag down */
byte deaths, over;
bit due, looking;               /* a tick is to come, after an append of a run; one is under way */

#if CONSUMERS > 2
#define each(statement, k) statement(0, k); statement(1, k); statement(2, k)
#define any(condition, k) (condition(0, k) || condition(1, k) || condition(2, k))
#elif CONSUMERS > 1
#define each(statement, k) statement(0, k); statement(1, k)
#define any(condition, k) (condition(0, k) || condition(1, k))
#else
#define each(statement, k) statement(0, k)
#define any(condition, k) condition(0, k)
#endif
#define has_news(c, mark) news[c] = news[c] | mark
#define has_moved(c, k) moved[c] = 1
#define is_up(c, k) asleep[c] = 0
#define sleeps_on(c, mark) (asleep[c] && (news[c] & (mark)))

#ifdef WHOSE
#define MARK (1 << me)          /* whose record it is that a consumer has not seen */
#else
#define MARK 1
#endif

inline count_up() {
#ifdef BREAK_NO_COUNT
	skip
#else
	each(has_moved, 1)
#endif
}

inline wake_all() {             /* futex.Wake(sequence, All) */
#ifdef BREAK_WAKE_ONE
	if
	:: asleep[0] -> asleep[0] = 0
	:: !asleep[0] && asleep[1] -> asleep[1] = 0
	:: else
	fi
#else
	each(is_up, 0)
#endif
}

#if PRODUCERS > 2
#define ANYBODY_OWES (owes[1] && !killed[1] || owes[2] && !killed[2] || owes[3] && !killed[3])
#elif PRODUCERS > 1
#define ANYBODY_OWES (owes[1] && !killed[1] || owes[2] && !killed[2])
#else
#define ANYBODY_OWES (owes[1] && !killed[1])
#endif

proctype Producer() {
	bit up, early;

	{
		do
		:: break                /* any append may be the last one */
		:: true ->
#ifdef BREAK_SIGNAL_FIRST
			up = flag;
#endif
#ifdef QUICK
			if
			:: early = 0
			:: early = 1; up = flag
			fi;
#endif
			/* Segment.Commit, under the lock */
			atomic { each(has_news, MARK); owes[me] = true; due = due | early };
			/* Signal */
#ifndef BREAK_SIGNAL_FIRST
			if
			:: early
			:: !early -> up = flag
			fi;
#endif
			if
			:: !up
			:: up ->
#ifdef BREAK_COUNT_FIRST
				atomic { count_up() };
#endif
				atomic { up = flag; flag = 0; lowered[me] = up };
				if
				:: up ->
#ifndef BREAK_COUNT_FIRST
					atomic { count_up() };
#endif
					atomic { wake_all() }
				:: !up
				fi
			fi;
			atomic {
				owes[me] = false;
				lowered[me] = false;
				up = 0;
				early = 0;
#if DEATHS == 0 || defined(SPARE_WINDOW) || defined(WHOSE)
				assert(!any(sleeps_on, MARK) || ANYBODY_OWES || due || looking)
#endif
			}
		od
	} unless { killed[me] };
	atomic { up = 0; early = 0; over++ }
}

/* Writer.lookAgain, of the producers' tickers. */
proctype Ticker() {
	bit up;

	do
	:: atomic { due -> due = 0; looking = 1 };
		up = flag;
		if
		:: !up
		:: up ->
			atomic { up = flag; flag = 0 };
			if
			:: up ->
				atomic { count_up() };
				atomic { wake_all() }
			:: !up
			fi
		fi;
		atomic {
			looking = 0;
			up = 0;
#if DEATHS == 0
			assert(!any(sleeps_on, MARK) || ANYBODY_OWES || due)
#endif
		}
	:: atomic { due && deaths > 0 -> due = 0 } /* it was that of a producer that is dead */
	:: atomic { over == PRODUCERS && !due -> break }
	od
}

#define c (me - PRODUCERS - 1)  /* number of the consumer */
#define NOTHING_TO_COME (over == PRODUCERS && !news[c])
#ifdef NO_TIMEOUT
#define TIMES_OUT false
#else
#define TIMES_OUT (news[c] || moved[c])         /* else it leads to the same sleep */
#endif

proctype Consumer() {
	{
		skip;
look:		if
		:: news[c] -> news[c] = 0; goto look    /* TryNext, as often as there is something */
		:: !news[c]
		fi;
#if !defined(BREAK_LOOK_FIRST) && !defined(BREAK_LOAD_LAST)
		moved[c] = 0;           /* loads the sequence */
#endif
#ifndef BREAK_LOOK_FIRST
		if      /* raise */
		:: flag == 0 -> flag = 1
		:: flag == 1
		fi;
		if      /* the last look */
		:: news[c] -> goto look
		:: !news[c]
		fi;
#endif
#ifdef BREAK_LOAD_LAST
		moved[c] = 0;
#endif
#ifdef BREAK_LOOK_FIRST
		moved[c] = 0;
		if
		:: news[c] -> goto look
		:: !news[c]
		fi;
		if
		:: flag == 0 -> flag = 1
		:: flag == 1
		fi;
#endif
		if      /* futex.Wait looks and lies down in one step */
		:: atomic { !moved[c] -> asleep[c] = 1 }
			if
			:: !asleep[c]
			:: atomic { asleep[c] && TIMES_OUT -> asleep[c] = 0 }
			:: asleep[c] && NOTHING_TO_COME -> goto done
			fi
		:: moved[c]
		fi;
		moved[c] = 1;           /* what it was is of no meaning any more */
		goto look;
done:		skip
	} unless { killed[me] };
	atomic { asleep[c] = 0; news[c] = 0; moved[c] = 1 }
}

/* File.kick: a wait that is cancelled somewhere, a source that is closed. It wakes for
   nothing, as often as it likes. */
proctype Canceller() {
	do
	:: atomic { count_up() };
		atomic { wake_all() }
	:: break
	od
}

#ifdef SPARE_WINDOW
#define kill(p) atomic { deaths < DEATHS && !killed[p] && !owes[p] -> deaths++; killed[p] = true }
#elif defined(SPARE_SWAP)
#define kill(p) atomic { deaths < DEATHS && !killed[p] && !lowered[p] -> deaths++; killed[p] = true }
#else
#define kill(p) atomic { deaths < DEATHS && !killed[p] -> deaths++; killed[p] = true }
#endif
proctype Killer() {
	do
	:: kill(1)
#if PRODUCERS > 1
	:: kill(2)
#endif
#if PRODUCERS > 2
	:: kill(3)
#endif
	:: atomic { deaths < DEATHS && !killed[PRODUCERS + 1] -> deaths++; killed[PRODUCERS + 1] = true }
	:: break
	od
}

init {
	byte i;
	atomic {
		do
		:: i < PRODUCERS -> run Producer(); i++
		:: i >= PRODUCERS && i < PRODUCERS + CONSUMERS -> run Consumer(); i++
		:: else -> break
		od;
#if CANCELLER > 0
		run Canceller();
#endif
#if defined(QUICK) && !defined(BREAK_NO_TICK)
		run Ticker();
#endif
		run Killer();
		i = 0
	}
}
