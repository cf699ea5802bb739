/*
 * The producers' lock: one shared word, slots, the death of its owner.
 *
 * Mirrors internal/control/lock.go (TryFree, Try, Acquire, queue, sleep, takeOver, release),
 * internal/control/slot.go (TakeSlot, JudgeIn), and from writer/ inherit, acquire,
 * locked and enter. What is done under the lock is one datum that is not whole
 * between two stores; append.pml, roll.pml and recycle.pml have what it stands for.
 *
 * Each statement is a step, and before each a process may vanish (SIGKILL). The
 * kernel then first stops its stores, later frees its file locks, one by one.
 *
 * With SOON an append may give the lock back by a plain store (ReleaseSoon), which takes away
 * a mark that is set just then.
 *
 * Holds:  never two owners; who gets the lock after a death or a fault knows that
 *         he must repair; every run ends, and nobody is left waiting.
 */

#ifndef PRODUCERS
#define PRODUCERS 3             /* processes; a late one is also one that comes back */
#endif
#ifndef SLOTS
#define SLOTS PRODUCERS
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef FAULTS
#define FAULTS 1                /* memory faults of a holder that lives on */
#endif
#ifndef CANCELS
#define CANCELS 1               /* waits that are given up */
#endif
#ifndef APPENDS
#define APPENDS 1               /* by each producer */
#endif

#define OWNER(w) ((w) & 15)
#define UNCLEAN  16
#define CONTENDED 32
#define FREE 0
#define me (_pid + 1)           /* a process; 0 is nobody */

byte word;                      /* control.Lock: slot of the owner, UNCLEAN, CONTENDED */
byte flock[SLOTS + 1];          /* who holds the lock of a slot's file: process, or FREE */

bool asleep[PRODUCERS + 1];     /* futex: sleeps in the kernel on word */
bool killed[PRODUCERS + 1];
bool gone[PRODUCERS + 1];       /* its memory is torn down: it can store nothing more */
byte deaths, faults, cancels;

byte ghost;                     /* process that is in the critical section */
bool broken;                    /* what the lock guards is not whole */

/* futex.Wake(word, 1): any one of the sleepers, if there is one. */
inline wake_one() {
	if
	:: asleep[1] -> asleep[1] = false
	:: asleep[2] -> asleep[2] = false
#if PRODUCERS > 2
	:: asleep[3] -> asleep[3] = false
#endif
#if PRODUCERS > 3
	:: asleep[4] -> asleep[4] = false
#endif
	:: else
	fi
}

/* A sleep may time out at any moment. A time-out that finds the word as it was and
   its owner alive leads back to the same sleep: it is left out, so that waiting for
   ever is a deadlock to the checker. */
#ifdef NO_TIMEOUT
#define TIMES_OUT false
#elif defined(BREAK_PROOF)
#define TIMES_OUT true
#else
#define TIMES_OUT (word != w || flock[OWNER(w)] == FREE)
#endif

/* Taken as free: nobody may be in there, and all must be whole. */
inline enter_free(again) {
	assert(ghost == FREE);
	ghost = me;
	repair = again
}

/* Taken from a dead owner: he must be unable to store anything more. */
inline enter_dead(again) {
	assert(ghost == FREE || gone[ghost]);
	ghost = me;
	repair = again
}

/* Lock.release: the swap. */
inline give_back(as) {
	assert(ghost == me);
	ghost = FREE;
	repair = word & CONTENDED;
	word = as
}

active [PRODUCERS] proctype Producer() {
	byte slot = 1, w, n;
	byte repair;            /* must; after the release: sleepers must be woken */

	{
		/* TakeSlot: the lowest one that is free */
		do
		:: atomic { flock[slot] == FREE -> flock[slot] = me; break }
		:: atomic { flock[slot] != FREE -> slot++; assert(slot <= SLOTS) }
		od;

		/* Writer.inherit: a former owner of the slot died with the lock */
		if
#ifndef BREAK_INHERIT
#ifdef BREAK_INHERIT_REPAIR
		:: atomic { OWNER(word) == slot -> enter_dead(0); goto holding }
#else
		:: atomic { OWNER(word) == slot -> enter_dead(1); goto holding }
#endif
		:: OWNER(word) != slot
#else
		:: true
#endif
		fi;

next:		/* Lock.Acquire: the first swap, and the spinning, which may end at any time; the
		   pauses in it are on another word and change nothing, so they are no steps */
		if
		:: n == APPENDS -> goto close
		:: atomic { n < APPENDS && word == 0 -> n++; word = slot; enter_free(0); goto holding }
		:: atomic { n < APPENDS && word == UNCLEAN -> n++; word = slot; enter_free(1); goto holding }
		:: atomic { n < APPENDS -> n++ }
		fi;

wait:		atomic {
			w = word;
			if
			:: OWNER(w) == FREE -> goto take
			:: OWNER(w) != FREE
			:: cancels < CANCELS && OWNER(w) != FREE -> cancels++; w = 0; goto next /* giveUp */
			fi
		};

		/* Lock.sleep */
#ifndef BREAK_CONTENDED
		if
		:: w & CONTENDED
		:: atomic { !(w & CONTENDED) && word == w -> w = w | CONTENDED; word = w }
		:: !(w & CONTENDED) && word != w -> goto wait
		fi;
#endif
		/* futex.Wait looks and lies down in one step */
		if
		:: atomic { word == w -> asleep[me] = true }
			if
			:: atomic { !asleep[me] -> goto wait } /* the bound has not passed yet */
			:: atomic { asleep[me] && TIMES_OUT -> asleep[me] = false }
			fi
		:: word != w -> goto wait
		fi;

		/* Lock.takeOver; Judge tries the lock of the owner's slot */
		atomic {
			w = word;
			if
			:: OWNER(w) == FREE -> goto take
			:: else
			fi
		};
#ifndef BREAK_PROOF
		if
		:: atomic { flock[OWNER(w)] == FREE -> flock[OWNER(w)] = me }
		:: flock[OWNER(w)] != FREE -> goto wait
		fi;
#ifdef BREAK_PROOF_HELD
		flock[OWNER(w)] = FREE;
#endif
#endif
		if
		:: atomic { word == w -> word = slot | CONTENDED; enter_dead(1) }
		:: atomic { word != w -> repair = 0 }
		fi;
		atomic {
#if !defined(BREAK_PROOF) && !defined(BREAK_PROOF_HELD)
			flock[OWNER(w)] = FREE;
#endif
			w = 0;
			if
			:: repair -> goto holding
			:: else -> goto wait
			fi
		};

take:		/* as contended: others may sleep still */
		if
		:: atomic { word == w -> word = slot | CONTENDED; enter_free((w & UNCLEAN) / UNCLEAN); w = 0 }
		:: atomic { word != w -> w = 0; goto wait }
		fi;

holding:	/* Writer.locked, enter, placeAll. Repair works with several stores too. */
		if
		:: atomic { repair -> assert(ghost == me); broken = true }
			atomic { assert(ghost == me); broken = false; repair = 0 }
		:: !repair
		fi;
		atomic { assert(ghost == me && !broken); broken = true };
		if
		:: atomic { faults < FAULTS -> faults++;
#ifdef BREAK_UNCLEAN
			give_back(0)
#else
			give_back(UNCLEAN)
#endif
			}
		:: atomic { assert(ghost == me); broken = false }
#ifdef SOON
			if
			:: word == slot -> atomic { assert(ghost == me && OWNER(word) == slot); ghost = FREE; word = 0 }
			:: word != slot -> atomic { give_back(0) }
			:: atomic { give_back(0) }
			fi
#else
			atomic { give_back(0) }
#endif
		fi;
		/* futex.Wake(word, 1) */
		atomic {
			if
			:: repair -> repair = 0; wake_one()
			:: else
			fi;
			goto next
		};

close:		atomic { flock[slot] = FREE; goto over } /* Slot.Release */

	} unless { atomic { killed[me] ->
		w = 0; n = 0; repair = 0
#ifdef BREAK_TEARDOWN
		; slot = 1
#else
		; gone[me] = true; slot = 1
#endif
	} };

	/* The kernel. Until here a wake-up may go to the dead one and be lost. */
	atomic { asleep[me] = false; killed[me] = false };
	do
	:: atomic { slot <= SLOTS ->
		if
		:: flock[slot] == me -> flock[slot] = FREE
		:: else
		fi;
		slot++
		}
	:: atomic { slot > SLOTS -> gone[me] = true; slot = 1; break }
	od;
over:	skip
}

/* Kills at any time, as often as DEATHS says, or not. */
#define kill(p) atomic { deaths < DEATHS && !killed[p] && !gone[p] -> deaths++; killed[p] = true }
active proctype Killer() {
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
