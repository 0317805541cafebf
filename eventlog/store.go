package eventlog

import "errors"

// store is what a Log runs on: a directory, or memory. All methods but await and kill are called by
// one goroutine at a time. A is the append lock.
type store interface {
	identity() LogID
	// head is that of the last commit that was passed to fold or written.
	head() Head
	// readOnly says that nothing can be written here, whatever the reason.
	readOnly() bool

	// follow passes to fold what was appended since, up to the last whole frame, without A. What is
	// unfinished or wrong behind that is left for refresh to judge. It returns errRewound if what
	// it had read is no longer there.
	follow(fold func(*Entry) error) error
	// doubtful says that there is something behind head that is no commit, or that one is missing:
	// only refresh can tell.
	doubtful() (bool, error)
	// rewind makes the next follow start behind the snapshot that resume has accepted, or at commit 1. resume
	// is called with one after the other until it returns nil; the last time with none. An error that it
	// returns is about the file that it returns as well.
	rewind(resume func([]*Snapshot) (bad *Snapshot, err error))
	// rebase calls fn with the newest snapshot, unless it is the one that the State rests on or is ahead of head.
	// It returns the files that are of no use any more, for the caller to close.
	rebase(fn func([]*Snapshot) bool) (left []*Snapshot, err error)
	// distrust makes rewind do without a file.
	distrust(*Snapshot, error)

	// tryLock takes A if it is free.
	tryLock() (bool, error)
	// await takes A when it is free, on another goroutine. The caller passes the lock to the Log's
	// goroutine, which calls hold, or calls drop. It may end early when quit is closed.
	await(quit <-chan struct{}) (hold, drop func(), err error)
	// holder describes who holds A, for people.
	holder() string
	unlock()

	// The following three are called while A is held.

	// refresh is follow up to the very end. It cuts off a torn tail or returns a *CorruptError. Unless
	// the end is known to be near, it may return errBehind instead. It describes what it has cut off,
	// even if an error comes after that, and once what others have: see Options.Recorded.
	refresh(fold func(*Entry) error, near bool) ([]Repair, error)
	// prove makes sure that the next sync covers all commits, not only those written through this
	// handle.
	prove() error
	// write appends one commit. It has written all of it, or returns an error that wraps
	// ErrTooLarge or ErrNotCommitted, and then nothing is there, or ErrUnknown.
	write(meta *Meta, events []Event, time int64) error
	// full returns an error that wraps ErrDiskFull while there is no room but for the essential.
	full() error

	// sync makes everything durable that was written, through need at least, and all before it.
	// After an error nothing is known about that, and the next prove starts anew.
	sync(need Commit) error
	// durable returns a commit that is known to be durable. It looks outside this process only if
	// it knows of less than need.
	durable(need Commit) (Commit, error)
	// tidy is called after acknowledgements, and once the log is idle. It does what keeps the log
	// in good order, and then also makes it survive a power cut what is known to be durable.
	tidy(idle bool) error

	// watch calls hint after somebody has appended, perhaps more often, until quit is closed. sure
	// says that it was not only this Log. It returns true if hints may be missing, so that the log
	// must be looked at from time to time. It is called once, and close waits for its goroutines.
	watch(quit <-chan struct{}, hint func(sure bool) (news bool)) (unsure bool)
	// stirred says if a hint that was not sure may be worth a follow. It is quick.
	stirred() bool
	close() error
	// kill drops everything as the death of the process would.
	kill()
}

// errRewound is follow's answer when the log was cut by somebody else, so that what was folded may
// be wrong.
var errRewound = errors.New("log was cut behind its reader")

// errBehind is refresh's answer when there is much to be read before.
var errBehind = errors.New("much was appended")
