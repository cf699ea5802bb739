/*
 * Recycling: a segment that retention drops becomes the next one.
 *
 * Mirrors OpenShared (internal/filelock), mapSegment and release (reader/source.go), roll
 * and takeSpare (writer/roll.go), drop (writer/trim.go), unname and reuse
 * (writer/recycle.go), and, as a reader that stores, a syncer with the handle of an old
 * segment (writer/sync.go). README.md has the steps in words.
 *
 * Files are inodes; the directory maps names to them. Each segment holds one batch here.
 * The names are the bases 0, 1, 2, ...; a name never comes to mean another file.
 *
 * Holds:  what is mapped under a shared lock never changes its life; whoever opens a
 *         name gets the segment of that name, whole, with a first commit word that is
 *         zero or its own (invariant Z), or finds it gone; no file is in two places; a
 *         stopped keeper holds up nobody; nobody waits for ever.
 */

#ifndef ROLLS
#define ROLLS 2
#endif
#ifndef READERS
#define READERS 1
#endif
#ifndef DEATHS
#define DEATHS 2
#endif

#ifndef KEEPERS
#define KEEPERS 1
#endif
#define ROLLERS 2
#define FILES 6                 /* inodes; 0 is none */
#define STALE 99                /* bytes of an earlier life where a commit word is looked for */

byte name[ROLLS + 1];           /* base -> inode */
byte spare, tmp, unfinished;    /* the other names */
byte header[FILES];             /* base + 1 of a valid header; 0: none */
byte first[FILES];              /* first commit word: 0, base + 1 of its own batch, STALE */
byte users[FILES];              /* who have it mapped, for reading or for its header's words */
byte shared[FILES];             /* shared locks, by fcntl */
bool exclusive[FILES];          /* and the exclusive one */
bool used[FILES];               /* inode was handed out */
byte current;
byte owner, spareLock;          /* the producers' lock; producers/spare */
bool killed[ROLLERS + KEEPERS + READERS + 1], gone[ROLLERS + 1], stopped;
byte deaths, over;

#define me _pid                 /* init 0, rollers, keepers, readers, syncer */
#define IN_ROW(i) (name[0] == i || name[1] == i || name[ROLLS] == i)

/* Ends a life of the file: whoever has it mapped would see it change. */
inline wipe(i) {
	assert(users[i] == 0);
	header[i] = 0
}

proctype Roller() {
	byte f, n;
	{
		skip;
again:		if
		:: current == ROLLS -> goto done
		:: atomic { current < ROLLS && owner == 0 -> owner = me }
		:: atomic { current < ROLLS && owner != 0 && gone[owner] -> owner = me }
			if      /* halfRolled; the end marker is one step with the current word here */
			:: atomic { name[current + 1] != 0 -> current++; f = name[current]; goto commit }
			:: name[current + 1] == 0
			fi
		fi;
		if      /* `unfinished` of a dead roller is replaced */
		:: atomic { current == ROLLS -> owner = 0; goto done }
		:: atomic { current < ROLLS && spare != 0 -> unfinished = spare; spare = 0; f = unfinished }
		:: atomic { current < ROLLS && spare == 0 ->
			f = 1;
			do
			:: used[f] -> f++
			:: else -> break
			od;
			assert(f < FILES);
			used[f] = true;
			unfinished = f;
			header[f] = 0;
			first[f] = 0
			}
		fi;
		/* Format */
		atomic { assert(!IN_ROW(f)); wipe(f) };
#if !defined(BREAK_ZERO_LATE) && !defined(BREAK_ZERO)
		first[f] = 0;
#endif
		atomic { header[f] = current + 2 };
		atomic { name[current + 1] = f; unfinished = 0 };
#ifdef BREAK_ZERO_LATE
		first[f] = 0;
#endif
		atomic { current++ };
commit:		if
		:: atomic { first[f] == 0 -> first[f] = current + 1 }
		:: first[f] != 0                /* he died, or we did not have to, behind the commit */
		fi;
		atomic { owner = 0; f = 0; goto again };
done:		skip
	} unless { atomic { killed[me] -> gone[me] = true } };
	atomic { f = 0; over++ }
}

/* Retention and recycling, by the keeper of any process. */
proctype Keeper() {
	byte b, f;
	{
		skip;
again:		if      /* producers/spare: who finds it taken leaves it to that one */
		:: atomic { spareLock == 0 -> spareLock = me }
		:: atomic { over == ROLLERS -> goto done }
		fi;
		atomic { tmp = 0; b = 0 };      /* what a dead keeper left goes */
		atomic {
			do
			:: b < current && name[b] == 0 -> b++
			:: else -> break
			od;
			if
			:: b == current -> spareLock = 0; b = 0;
				if
				:: over == ROLLERS -> goto done
				:: else -> goto idle
				fi
			:: else
			fi
		};
#ifdef BREAK_LOCK_FIRST
		atomic { f = name[b] };
		if
		:: atomic { shared[f] == 0 -> exclusive[f] = true }
		:: atomic { shared[f] > 0 -> name[b] = 0; f = 0; goto free }
		fi;
		atomic { tmp = f; name[b] = 0 };
		atomic { exclusive[f] = false };
#elif defined(BREAK_PROBE_FIRST)
		atomic { f = name[b] };
		if
		:: shared[f] == 0
		:: atomic { shared[f] > 0 -> name[b] = 0; f = 0; goto free }
		fi;
		atomic { tmp = f; name[b] = 0 };
#else
		atomic { f = name[b]; tmp = f; name[b] = 0 };   /* 1. the name goes (and the directory is synced) */
#ifndef BREAK_NO_PROBE
		if                                              /* 2. the exclusive lock, for a moment */
		:: shared[f] == 0
		:: atomic { shared[f] > 0 -> tmp = 0; f = 0; goto free }
		fi;
#endif
#endif
		atomic { first[f] = STALE };    /* what it holds is of an earlier life; its header stays */
		atomic {                                        /* 3. it is the spare, unless there is one */
			if
			:: spare == 0 -> spare = f
			:: else
			fi;
			tmp = 0
		};
free:		atomic { spareLock = 0; b = 0; f = 0; goto again };
idle:		if
		:: atomic { name[0] != 0 && current > 0 || name[1] != 0 && current > 1 -> goto again }
		:: over == ROLLERS
		fi;
done:		skip
	} unless { killed[me] || stopped && me == ROLLERS + 1 };
	if
	:: killed[me] ->
		atomic {
			if
			:: exclusive[f] -> exclusive[f] = false
			:: else
			fi;
			if
			:: spareLock == me -> spareLock = 0
			:: else
			fi
		}
	:: else ->
		if
		:: stopped && me == ROLLERS + 1 ->
end:			false           /* keeps what it holds */
		:: else
		fi
	fi
}

/* A reader, or a producer that maps an old segment to sync it and to store its mark. */
proctype Reader() {
	byte b, f;
	bool locked, mapped;
	{
		atomic {
			if
			:: b = 0
			:: b = 1
			:: b = ROLLS
			fi
		};
		atomic { (name[b] != 0 || current > b || over == ROLLERS) -> f = name[b] };
		if
		:: f == 0 -> goto done          /* gone, or not there yet */
		:: else
		fi;
#ifdef BREAK_UNLOCKED
		if
		:: goto map                     /* as producers map old segments today, to sync them */
		:: true
		fi;
#endif
		if
		:: atomic { !exclusive[f] -> shared[f]++; locked = true }
#ifdef BREAK_LOCKLESS
		:: exclusive[f] -> goto map     /* goes on without, after a while */
#else
		:: name[b] != f -> goto done
#endif
		fi;
#ifndef BREAK_NO_RECHECK
		if                              /* does the name still lead here? */
		:: name[b] == f
		:: name[b] != f -> goto drop
		fi;
#endif
map:		atomic {
			users[f]++;
			mapped = true;
			assert(header[f] == b + 1 && (first[f] == 0 || first[f] == b + 1))
		};
		/* reads, hands out views, or stores a mark that it took before a sync */
		atomic { users[f]--; mapped = false };
drop:		if
		:: atomic { locked -> shared[f]--; locked = false }
		:: !locked
		fi;
done:		skip
	} unless { killed[me] };
	atomic {                                /* the kernel: the mapping first */
		if
		:: mapped -> users[f]--; mapped = false
		:: else
		fi
	};
	atomic {
		if
		:: locked -> shared[f]--; locked = false
		:: else
		fi;
		f = 0; b = 0
	}
}

#define kill(p) atomic { deaths < DEATHS && !killed[p] -> deaths++; killed[p] = true }
proctype Killer() {
	do
	:: kill(1)
	:: kill(ROLLERS + 1)
#if KEEPERS > 1
	:: kill(ROLLERS + 2)
#endif
	:: kill(ROLLERS + KEEPERS + 1)
#ifdef STOPS
	:: atomic { !stopped -> stopped = true }        /* SIGSTOP, for good, of the first keeper */
#endif
	:: break
	od
}

init {
	byte i;
	atomic {
		used[1] = true;
		name[0] = 1;
		header[1] = 1;
		first[1] = 1;
		run Roller(); run Roller();
		do
		:: i < KEEPERS -> run Keeper(); i++
		:: i >= KEEPERS && i < KEEPERS + READERS -> run Reader(); i++
		:: else -> break
		od;
		run Killer();
		i = 0
	}
}
