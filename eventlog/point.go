package eventlog

import "github.com/queuectl/queuectl/internal/file"

// point is a place in the code at which a process is about to do something that others can see, or to
// look at what they have done. A simulation stops it there and lets others go on, or ends it: see
// docs/decisions/0015-simulated-processes.md. The syncs, rewrites and writes of D that disk has
// functions for are such places, too. Between two of them a process does one thing to the files.
type point string

const (
	pointFormat  point = "format"  // reads what says that there is a log
	pointLook    point = "look"    // looks if the lock file is still the one
	pointUnlock  point = "unlock"  // lets A go
	pointFree    point = "free"    // has let A go
	pointTail    point = "tail"    // asks for the size of the tail
	pointRead    point = "read"    // reads what was appended to it
	pointNext    point = "next"    // looks for the next segment
	pointOpen    point = "open"    // opens a segment
	pointList    point = "list"    // lists the segments
	pointMarks   point = "marks"   // reads D
	pointHandle  point = "handle"  // has tidwall/wal open the segments
	pointWrite   point = "write"   // has it write a commit, and perhaps begin a segment
	pointWritten point = "written" // it has
	pointCut     point = "cut"     // truncates a segment
	pointMake    point = "make"    // makes a file or a directory
	pointRename  point = "rename"
	pointRemove  point = "remove"
)

// at is called at each point. Who has no disk of his own is told nothing.
func (d *disk) at(p point) {
	if d != nil && d.step != nil {
		d.step(p)
	}
}

// lockHow is how a lock is taken.
type lockHow uint8

const (
	lockTry  lockHow = iota // exclusively, if it is free
	lockWait                // exclusively, when it is free
	lockShared
)

// take takes a lock. It returns true, unless it does not wait for it.
func (d *disk) take(l *file.Lock, how lockHow) (bool, error) {
	if d != nil && d.lock != nil {
		return d.lock(l, how)
	}
	switch how {
	case lockWait:
		return true, l.Exclusive()
	case lockShared:
		return true, l.Shared()
	}
	return l.TryExclusive()
}
