/*
 * Group commit: durable marks, shared syncs, failed ones, poison.
 *
 * Mirrors syncer.to, covered, once, open, flush and poison (writer/sync.go), share (writer/share.go),
 * control.Raise, Segment.RaiseDurable, and the check of poison in enter
 * (writer/append.go). There are two segments: the first is full after ROOM records; the
 * name of the second has to reach the disk too. Of the kernel: a sync covers what was
 * stored before it began, at least; a failed one drops the pages it could not write, so
 * that no later sync writes them; a failure is told once to each descriptor that was
 * open then, and to one opened later only if nobody was told yet (errseq_t).
 *
 * Holds:  no mark is ever ahead of what is on disk, whoever moves it and whenever; marks
 *         never go back; a durable acknowledgement is true, after a failed sync too; every
 *         run ends.
 * Not modelled: who sleeps and is woken (wake.pml has sleepers, of another word), and syncs of a part of a
 * segment, which begin where the same process's last one ended: a sync here writes a segment from its beginning.
 * Does not hold: the same with descriptors that are opened after the failure (LATE_OPEN).
 */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef APPENDS
#define APPENDS 2
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef FAILS
#define FAILS 0                 /* syncs that fail */
#endif
#define ROOM 1                  /* records of the first segment */

#define me _pid
#define MAX(a, b) ((a) > (b) -> (a) : (b))
#define MIN(a, b) ((a) < (b) -> (a) : (b))

byte tail;                      /* records committed */
byte disk[2];                   /* records of each segment that are on disk */
bool nameOnDisk;                /* of the second segment */
byte durable, syncFrom;         /* in control */
bool named;
bool poison;
byte mark[2];                   /* in each segment's header */
byte owner;                     /* of the sync lock */
bool killed[PRODUCERS + 1], gone[PRODUCERS + 1];
byte deaths, fails;
bool lost[2];                   /* the kernel dropped pages of this segment */
bool told[2];                   /* and told somebody */

/* Records of a segment of which so many are there in all. */
#define PART(s, n) (s == 0 -> MIN(n, ROOM) : ((n) > ROOM -> (n) - ROOM : 0))
#define PREFIX (disk[0] < ROOM || !nameOnDisk -> disk[0] : ROOM + disk[1])

inline raise(value) {           /* control.Raise(Durable) and RaiseDurable */
	assert(value <= PREFIX);
#ifdef BREAK_STORE
	durable = value;
#else
	durable = MAX(durable, value);
#endif
	mark[s] = MAX(mark[s], range)
}

proctype Producer() {
	byte n, target, s, range, begun, seen;
	bit owns, sealed, heard[2], failed;

	{
		skip;
again:		atomic {
			target = 0; s = 0; range = 0; begun = 0; sealed = 0; owns = 0; failed = 0;
			if
			:: n == APPENDS -> goto done
			:: n < APPENDS && poison -> goto done           /* enter */
			:: n < APPENDS && !poison -> n++; tail++; target = tail
			fi
		};

		/* share, covered: the poison first, then the mark */
look:		if
		:: poison -> goto done
		:: !poison
		fi;
		atomic {
			assert(durable >= seen);
			seen = durable;
			if
			:: durable >= target ->
				assert(PREFIX >= target);      /* acknowledged as durable */
				goto again
			:: else
			fi
		};
		if
		:: atomic { owner == 0 -> owner = me; owns = 1 }
		:: atomic { owner != 0 && gone[owner] -> owner = me; owns = 1 }
		:: owner != 0                           /* out of patience: syncs by itself */
		:: atomic { owner != 0 && (durable >= target || poison) -> goto look }
		fi;

		/* once */
#ifdef BREAK_ONLY_LAST
		atomic { s = (tail > ROOM -> 1 : 0) };
#else
		s = syncFrom;
#endif
segment:
#ifndef BREAK_RANGE_AFTER
		atomic { range = PART(s, tail) };       /* the tail of the segment */
#endif
		atomic { sealed = (s == 0 && tail >= ROOM) }; /* the end marker, read before the sync */
#ifdef LATE_OPEN
		atomic { heard[s] = told[s] };          /* a descriptor that was opened just now */
#endif
#ifdef BREAK_MARK_FIRST
		atomic { raise(s * ROOM + range) };
#endif
		atomic { begun = PART(s, tail) };       /* fdatasync begins */
		if                                      /* and ends */
		:: atomic { lost[s] && !heard[s] -> heard[s] = 1; told[s] = true; failed = 1 }
		:: atomic { fails < FAILS && !lost[s] && disk[s] < begun ->
			fails++; lost[s] = true; told[s] = true; heard[s] = 1; failed = 1
			}
		:: atomic { !lost[s] -> disk[s] = MAX(disk[s], begun) }
		:: atomic { lost[s] && heard[s] }       /* says that all is well */
		fi;
		begun = 0;
#ifdef BREAK_RANGE_AFTER
		atomic { range = PART(s, tail) };
#endif
		if
		:: failed ->
#ifdef BREAK_NO_POISON
			atomic { failed = 0; goto unlock }
#endif
			poison = true;
			atomic { failed = 0; goto unlock }
		:: !failed && s == 1 && !named ->
#ifndef BREAK_NAME
			nameOnDisk = true;
			named = true
#endif
		:: else
		fi;
		if                                      /* the lock goes back before the offset moves */
		:: atomic { owns -> owns = 0;
			if
			:: owner == me -> owner = 0
			:: else
			fi
			}
		:: !owns
		fi;
#ifndef BREAK_MARK_FIRST
		atomic { raise(s * ROOM + range) };
#endif
		if
		:: sealed ->
			atomic { syncFrom = 1; s = 1; sealed = 0; range = 0; goto segment }
		:: !sealed
		fi;

unlock:		if
		:: atomic { owns -> owns = 0;
			if
			:: owner == me -> owner = 0
			:: else
			fi
			}
		:: !owns
		fi;
		goto look;

done:		skip
	} unless { atomic { killed[me] -> gone[me] = true } };
	atomic { n = 0; target = 0; s = 0; range = 0; begun = 0; seen = 0; owns = 0; sealed = 0; failed = 0; 
		heard[0] = 0; heard[1] = 0
	}
}

#define kill(p) atomic { deaths < DEATHS && !killed[p] -> deaths++; killed[p] = true }
proctype Killer() {
	do
	:: kill(1)
	:: kill(2)
#if PRODUCERS > 2
	:: kill(3)
#endif
	:: break
	od
}

init {
	byte i;
	atomic {
		do
		:: i < PRODUCERS -> run Producer(); i++
		:: else -> break
		od;
		run Killer();
		i = 0
	}
}
