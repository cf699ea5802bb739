/*
 * Appends without the lead, and the end of their producer.
 *
 * Mirrors Writer.lone, awaitLone and giveUpSlot (writer/lone.go) and Control.Leave
 * (internal/control/control.go), for one producer with slot 1 and some goroutines. Two
 * other producers append meanwhile: one has slot 2, the other one takes slot 1 when it
 * has become free, by number the same. Lock and takeover are in one step each, as
 * lock.pml shows them to be; that the holder of a free slot is dead is what the lock's
 * takeover goes by.
 *
 * The lock is given back unclean, since the slot may be one that a dead producer held it
 * with; repair is lock.pml's and is left out here.
 *
 * Holds: never two owners; when awaitLone is over this producer appends nothing more;
 *   who is given the slot does not find the lock to be his; nobody waits for ever.
 */

#ifndef GOROUTINES
#define GOROUTINES 2
#endif
#ifndef APPENDS
#define APPENDS 2               /* of each goroutine, and of each other producer */
#endif

#define FREE 0
#define FIRST 1                 /* the slot of the producer that ends */
#define SECOND 2

byte lock[2];                   /* of the file, and of the page that takes its place */
bit page;                       /* which of them the producer's mapping shows: 0 is the file's */
bool closed, awaited, given;    /* given: the slot's file lock is free or another's */
bool alive = true;              /* whoever has slot 1 */
byte inside;                    /* who stores to the segment just now */
byte over;

/* What the holder of the lock does. */
inline store() {
	inside++;
	assert(inside == 1);
	inside--
}

/* Lock.TakeOver: the owner's slot is free, so it is dead, and stores nothing more. */
inline take(slot) {
	if
	:: atomic { lock[0] == FREE -> lock[0] = slot }
	:: atomic { lock[0] == FIRST && slot != FIRST && !alive -> lock[0] = slot }
	fi
}

inline give(slot) {
	atomic { assert(lock[0] == slot); lock[0] = FREE }
}

proctype Goroutine() {
	byte n;
	bit at;

	do
	:: n == APPENDS -> break
	:: n < APPENDS ->
		n++;
		if
		:: atomic { lock[page] == FREE -> lock[page] = FIRST }
		:: atomic { lock[page] != FREE -> goto next }      /* a round does it, with the lead */
		fi;
#ifndef BREAK_LOOK
		if
		:: closed -> goto release
		:: else
		fi;
#endif
		assert(!awaited);
		store();
release:	lock[page] = FREE;      /* a swap, whoever's it is */
next:		skip
	od;
	over++
}

active proctype Closer() {
	closed = true;
#ifndef BREAK_AWAIT
	lock[0] != FIRST;
#endif
	awaited = true;
#ifdef BREAK_GIVE_UP_FIRST
	atomic { given = true; alive = false };
#endif
#ifndef BREAK_DETACH
	page = 1;
#ifndef BREAK_GIVE_BACK
	if
	:: atomic { lock[0] == FIRST -> lock[0] = FREE }
	:: atomic { lock[0] != FIRST }
	fi;
#endif
#endif
#ifndef BREAK_GIVE_UP_FIRST
	atomic { given = true; alive = false };
#endif
	over++
}

active proctype Other() {
	byte n;

	do
	:: n == APPENDS -> break
	:: n < APPENDS ->
		n++;
		take(SECOND);
		store();
		give(SECOND)
	od;
	over++
}

active proctype Successor() {
	byte n;

	atomic { given -> alive = true; assert(lock[0] != FIRST) };
	do
	:: n == APPENDS -> break
	:: n < APPENDS ->
		n++;
		take(FIRST);
		store();
		give(FIRST)
	od;
	over++
}

init {
	byte n;

	atomic {
		do
		:: n == GOROUTINES -> break
		:: n < GOROUTINES -> n++; run Goroutine()
		od
	};
	over == GOROUTINES + 3 -> assert(lock[0] == FREE)
}
