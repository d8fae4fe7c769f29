// Package fault is a test kit: a table that fails as a table at the other end of
// a network can. It is throttled, in conflict, answers late or never, or its
// caller dies in the middle. It is for tests of what stands above the table.
package fault

import "errors"

// ErrCrashed is the error of every call of a process that has crashed.
var ErrCrashed = errors.New("process crashed")

// Kind is a way to fail.
type Kind int

// The kinds of fault. One that does not fit the call it falls on leaves the
// call alone: a Hole needs a page of two items, Twice a write of one action.
const (
	// None leaves the call alone.
	None Kind = iota

	// Throttle is a write not done: table.ErrNotDone.
	Throttle
	// Conflict is a write that met another transaction: table.ErrNotDone.
	Conflict
	// Lost is a write that timed out and never happens: table.ErrUnknown.
	Lost
	// Unanswered is a write that timed out after it was done, or refused: table.ErrUnknown.
	Unanswered
	// Late is a write that timed out and happens later: table.ErrUnknown now;
	// within Config.Delay its conditions are checked and all of it is done or
	// none, even if the process has crashed meanwhile.
	Late
	// Twice is a write of one action that a transport sent again although it
	// had been done; the caller sees the second outcome. Transactions have a
	// token against this.
	Twice

	// Unreadable is a read that was throttled or timed out: table.ErrUnavailable.
	Unreadable
	// Hole is a page that misses one item that is not its last: it was read
	// while items were being written.
	Hole
	// Stale is a read of an earlier state of the table, up to
	// NetworkConfig.Behind writes ago. It falls only on reads that are not
	// consistent.
	Stale

	// CrashBefore ends the process before the call takes effect: this and
	// every later call gets ErrCrashed.
	CrashBefore
	// CrashAfter ends the process after the call took effect.
	CrashAfter
)

// What may fall on a call by chance, in the order in which the dice are read.
var (
	writeFaults = []Kind{Throttle, Conflict, Lost, Unanswered, Late, Twice, CrashBefore, CrashAfter}
	readFaults  = []Kind{Unreadable, Hole, Stale, CrashBefore, CrashAfter}
)
