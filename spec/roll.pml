/*
 * From segment to segment: roll, deaths within it, repair, readers that cross.
 *
 * Mirrors Writer.roll, createSegment and takeSpare (writer/roll.go), repair,
 * repairSegment and halfRolled (writer/repair.go), and of the reader advance and find
 * (reader/reader.go, seek.go). A segment is known by its base offset, as its name is;
 * within it a commit is one step (append.pml has what is inside). Batches have one or
 * two records, so that segments end at different offsets. Nothing is dropped here
 * (recycle.pml). The lock is one step (lock.pml).
 *
 * Holds:  whoever follows an end marker, or opens a name that he finds, gets a whole
 *         segment; offsets are dense across segments; a reader that started anywhere
 *         gets every record there is; nobody waits for ever.
 */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef APPENDS
#define APPENDS 2
#endif
#ifndef DEATHS
#define DEATHS 2
#endif

#define me _pid
#define ROOM 2                  /* records of a segment */
#define BASES (2 * PRODUCERS * APPENDS + 1)

bool named[BASES];              /* there is a file of this name */
bool whole[BASES];              /* and its header and first commit word are those of a segment */
byte held[BASES];               /* records committed in it */
bool marker[BASES];             /* end marker behind them: goes on at base + held */
bool formatted;                 /* the file `unfinished` */
byte current;                    /* control.Active */
byte total;                     /* truth: records committed in all */
byte owner;
bool killed[PRODUCERS + 1], gone[PRODUCERS + 1];
byte deaths, over;

proctype Producer() {
	byte n, size, base, next;

	{
		skip;
again:		if
		:: n == APPENDS -> goto done
		:: atomic { n < APPENDS && owner == 0 -> owner = me; n++; goto place }
		:: atomic { n < APPENDS && owner != 0 && gone[owner] -> owner = me; n++ }
		fi;

repair:		/* a file of the current word's name must be there, and whole */
		atomic { base = current; assert(named[base] && whole[base]); next = base + held[base] };
		if
		:: marker[base]
#ifndef BREAK_HALF_ROLLED
		:: atomic { !marker[base] && next != base && named[next] -> assert(whole[next]); marker[base] = true }
		:: !marker[base] && (next == base || !named[next]) -> goto place
#else
		:: !marker[base] -> goto place
#endif
		fi;
		current = next;
		goto repair;

place:		atomic {
			base = current;
			next = base + held[base];
			if
			:: size = 1
			:: size = 2
			fi;
			if
			:: held[base] + size <= ROOM -> goto commit
			:: else
			fi
		};
		/* roll */
		formatted = false;              /* takeSpare: renames it to `unfinished`, or makes it */
#ifdef BREAK_NAME_FIRST
		atomic { named[next] = true; whole[next] = false };
		whole[next] = true;
#else
		formatted = true;               /* Format */
#ifdef BREAK_MARKER_FIRST
		marker[base] = true;
#endif
		atomic { named[next] = true; whole[next] = formatted; formatted = false };
#endif
#ifdef BREAK_ACTIVE_FIRST
		current = next;
#endif
#ifndef BREAK_MARKER_FIRST
		marker[base] = true;            /* Seal */
#endif
		current = next;
		atomic { base = next };

commit:		atomic {
			assert(base + held[base] == total && !marker[base]);
			held[base] = held[base] + size;
			total = total + size
		};
		atomic { owner = 0; base = 0; next = 0; size = 0; goto again };
done:		skip
	} unless { atomic { killed[me] -> gone[me] = true } };
	atomic { n = 0; base = 0; next = 0; size = 0; over++ }
}

proctype Reader() {
	byte base, at;          /* segment; offset of the next record */

	/* find: any offset up to the end, by the names in the directory */
	atomic {
		do
		:: at < total -> at++
		:: break
		od;
		base = at;
		do
		:: !named[base] -> base--
		:: named[base] -> break
		od;
		if
		:: base + held[base] < at -> assert(marker[base] && false) /* it must be in there */
		:: else
		fi
	};
	do
	:: atomic { at < base + held[base] -> assert(at < total); at++ }
	:: atomic { at >= base + held[base] && marker[base] ->  /* advance */
		base = base + held[base];
		assert(at == base && named[base] && whole[base])
		}
	:: atomic { over == PRODUCERS && at >= base + held[base] && !marker[base] ->
		assert(at == total || at == base);
		break
		}
	od;
	/* What a death left half-rolled the next producer will put right: then we stand
	   at the end, in the one segment or in the other. */
	atomic { assert(at == total); base = 0; at = 0 }
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
		named[0] = true;
		whole[0] = true;
		do
		:: i < PRODUCERS -> run Producer(); i++
		:: else -> break
		od;
		run Reader();
		run Killer();
		i = 0
	}
}
