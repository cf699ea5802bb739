/*
 * One segment: append, publish, tail, invariant Z, readers, deaths, repair.
 *
 * Mirrors Segment.Stage, Commit, SetTail, Read and Scan (segment/segment.go),
 * Writer.place (writer/append.go), repairSegment (writer/repair.go), and of the
 * reader load and tail (reader/reader.go, seek.go). The segment is an array of words;
 * a batch is [commit word][offset][value][checksum] and perhaps one more word of
 * body. So what a longer batch left behind, or an earlier life of the file, can
 * stand where a commit word is looked for: all words but the first begin as garbage.
 *
 * The lock is one step here: lock.pml shows that it is one owner's at a time, and
 * that the next one after a death knows of it.
 *
 * With AHEAD each append leaves zeros behind it, and the next one of the same producer,
 * if the tail is where it left it, looks there and stores a zero only where there is none
 * (writer/zeroahead.go). GIVES_UP are those who find, after a repair, that they cannot
 * append: a full disk.
 *
 * Holds:  a reader gets what was committed, once, in order, whole, and never meets
 *         bytes that do not verify; what was committed is never written again; the
 *         tail is a place between two batches and never ahead; an acknowledged
 *         record is there; nobody waits for ever.
 */

#ifndef PRODUCERS
#define PRODUCERS 3
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef FAULTS
#define FAULTS 0                /* memory faults of a holder that lives on; with BATCHES 1 */
#endif
#ifndef BATCHES
#define BATCHES 1               /* that one holder of the lock writes, as the lead for others */
#endif
#ifndef APPENDS
#define APPENDS 1               /* that each makes, one after the other */
#endif
#ifndef AHEAD
#define AHEAD 0                 /* words that are made zero behind the tail */
#endif
#ifndef GIVES_UP
#define GIVES_UP 0
#endif
#ifndef READERS
#define READERS 1
#endif

#define me _pid                 /* init is 0, producers follow */
#ifdef BREAK_FAIL_COMMITTED
#define ALL (PRODUCERS * BATCHES * APPENDS + FAULTS)
#else
#define ALL (PRODUCERS * BATCHES * APPENDS)
#endif
#define WORDS (5 * ALL + 1)
#define GARBAGE 4               /* could be a length */

/* The checksum: tells apart all that these batches can differ in. */
#define sum(pos, size, off, val) (1 + (pos) + 32 * ((off) + 8 * ((val) + 8 * ((size) - 4))))

short mem[WORDS] = GARBAGE;
byte tailPos, tailCount;        /* one word */
byte owner;                     /* of the lock: process, or 0 */
bool unclean;                   /* given back by one who could not finish */
bool killed[PRODUCERS + 1], gone[PRODUCERS + 1];
byte deaths, faults, over;
byte gaveUp;

byte truth[ALL + 1];            /* values in the order of their commits */
byte count, end;                /* how many; position behind the last */
byte place[ALL + 1];            /* position of each */

inline store(at, what) {
#ifndef BREAK_COMMIT_FIRST
	assert(at >= end);      /* never into what is committed */
#endif
	mem[at] = what
}

inline commit() {
	assert(pos == end && cnt == count);
	mem[pos] = size;
	truth[count] = val;
	count++;
	end = pos + size;
	place[count] = end
}

inline store_tail(p, c) {
	assert(place[c] == p && c <= count);
	tailPos = p;
	tailCount = c
}

/* Segment.Read, of a batch that is committed and so at rest. */
#define verifies(p, c) \
	(mem[p] >= 4 && mem[p] <= 5 && mem[p + 1] == c && mem[p + 2] > 0 && mem[p + 2] < 8 && \
	 mem[p + 3] == sum(p, mem[p], mem[p + 1], mem[p + 2]) && (mem[p] == 4 || mem[p + 4] == GARBAGE))

proctype Producer() {
	byte pos, cnt, size, val, n;
#if AHEAD > 0
	byte left, zeros;       /* the tail, and where zeros end, as it left them */
#endif

	{
		skip;
again:		if
		:: atomic { owner == 0 && !unclean -> owner = me; goto append }
		:: atomic { owner == 0 && unclean -> owner = me; unclean = false }
		:: atomic { owner != 0 && gone[owner] -> owner = me }
		fi;

repair:	skip;	skip; /* repairSegment: on from the tail, over what is committed */
#ifdef BREAK_REPAIR
		skip;
#else
		d_step {
			pos = tailPos;
			cnt = tailCount;
			do
			:: mem[pos] == 0 -> break
			:: mem[pos] != 0 ->
				assert(verifies(pos, cnt));     /* else: tailDamage, no more appends */
				pos = pos + mem[pos];
				cnt++
			od
		};
		atomic { store_tail(pos, cnt) };
#endif
#if GIVES_UP > 0
		if
		:: atomic { gaveUp < GIVES_UP -> gaveUp++; owner = 0; goto out }
		:: true
		fi;
#endif

append:		/* place */
		atomic {
			pos = tailPos;
			cnt = tailCount;
			val = me + n * PRODUCERS;
#ifndef BREAK_REPAIR
			if
			:: mem[pos] != 0 -> goto repair
			:: else
			fi;
#endif
			if
			:: size = 4
			:: size = 5
			fi
		};

		/* Stage */
#if AHEAD > 0
		if
#ifdef BREAK_AHEAD
		:: atomic { pos == left && pos + size < zeros -> skip }
#else
		:: atomic { pos == left && pos + size < zeros && mem[pos + size] == 0 -> skip }
#endif
		:: else -> atomic { store(pos + size, 0) }
		fi;
#elif !defined(BREAK_ZERO) && !defined(BREAK_ZERO_LATE)
		atomic { store(pos + size, 0) };
#endif
#ifdef BREAK_COMMIT_FIRST
		atomic { commit() };
#endif
#ifdef BREAK_TAIL_FIRST
		atomic { tailPos = pos + size; tailCount = cnt + 1 };
#endif
		atomic { store(pos + 1, cnt) };
		atomic { store(pos + 2, val) };
		atomic { store(pos + 3, sum(pos, size, cnt, val)) };
		if
		:: atomic { size == 5 -> store(pos + 4, GARBAGE) }
		:: size == 4
		fi;
#if FAULTS > 0
		if      /* a memory fault: nothing was appended, the caller may try again */
		:: atomic { faults < FAULTS -> faults++ };
			atomic { owner = 0; unclean = true; goto again }
		:: true
		fi;
#endif
#ifndef BREAK_COMMIT_FIRST
		atomic { commit() };
#endif
#if FAULTS > 0
		if      /* behind the commit it no longer is the caller's (Writer.fail) */
		:: atomic { faults < FAULTS -> faults++ };
#ifdef BREAK_FAIL_COMMITTED
			atomic { owner = 0; unclean = true; goto again }
#else
			atomic { owner = 0; unclean = true; n++; goto done }
#endif
		:: true
		fi;
#endif
#ifdef BREAK_ZERO_LATE
		atomic { store(pos + size, 0) };
#endif
#ifdef BREAK_TAIL_TORN
		tailPos = pos + size;
		tailCount = cnt + 1;
#elif !defined(BREAK_TAIL_FIRST)
		atomic { store_tail(pos + size, cnt + 1) };
#endif
#if AHEAD > 0
		atomic { left = pos + size; zeros = left + 1 };
		do
		:: atomic { zeros < WORDS && zeros <= left + AHEAD -> store(zeros, 0); zeros++ }
		:: else -> break
		od;
#endif
		atomic {
			n++;
			if
			:: n % BATCHES != 0 -> goto append
			:: else
			fi
		};
		atomic { owner = 0 };
done:		assert(truth[cnt] == val);      /* acknowledged */
#if APPENDS > 1
		if
		:: n < BATCHES * APPENDS && n > 0 -> goto again
		:: else
		fi;
#endif
out:		skip

	} unless { atomic { killed[me] -> gone[me] = true } };
	atomic { pos = 0; cnt = 0; size = 0; val = 0; n = 0;
#if AHEAD > 0
		left = 0; zeros = 0;
#endif
		over++ }
}

proctype Reader() {
	byte pos, cnt, seen, i;

	if      /* from the start, or from the tail that stands there (Source.tail) */
	:: true
	:: atomic { pos = tailPos; cnt = tailCount; assert(cnt <= count && place[cnt] == pos) }
	fi;
	do
	:: mem[pos] != 0 ->
		atomic {                /* the commit word first, later the rest */
			assert(verifies(pos, cnt));
			assert(cnt < count);
			assert(mem[pos + 2] == truth[cnt]);
			assert(!(seen & (1 << truth[cnt])));
			seen = seen | (1 << truth[cnt]);
			pos = pos + mem[pos];
			cnt++
		}
	:: atomic { mem[pos] == 0 && over == PRODUCERS ->
		assert(cnt == count);
		break
		}
	od
}

#define kill(p) atomic { deaths < DEATHS && !killed[p] -> deaths++; killed[p] = true }
proctype Killer() {
	do
	:: kill(1)
	:: kill(2)
#if PRODUCERS > 2
	:: kill(3)
#endif
#if PRODUCERS > 3
	:: kill(4)
#endif
	:: break
	od
}

init {
	byte i;
	atomic {
		mem[0] = 0;             /* as segment.Format leaves it */
		do
		:: i < PRODUCERS -> run Producer(); i++
		:: i >= PRODUCERS && i < PRODUCERS + READERS -> run Reader(); i++
		:: else -> break
		od;
		run Killer();
		i = 0
	}
}
