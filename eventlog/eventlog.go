// Package eventlog keeps commits of events in a directory that several processes share, and tells
// the truth after every kind of death.
//
// It promises:
//
//  1. A commit (1 to MaxEvents events) is in the log wholly or not at all.
//  2. Once an append was acknowledged, its commit survives the death of the process, and a loss of
//     power as far as the disk honours a sync.
//  3. Acknowledged history is never dropped, rewritten or reordered. What is cut off was provably
//     never acknowledged; it is kept in quarantine, and told of by TakeRepairs.
//  4. Damage is told apart from a write that was cut short, is named (file, offset, commit: see
//     CorruptError), and stops appending. Reading what is sound still works.
//  5. Every process sees the same commits in the same order.
//  6. An append has three answers, never a fourth: it is in the log and durable, it is not in the
//     log, or that is unknown.
//
// Every process opens the directory itself; there is no server. A Log keeps a State up to date,
// which is whatever its user makes of the events. To append is to propose: the proposal is decided
// while the process alone may append, with all that came before folded into the State, so that two
// processes cannot decide on the same facts. Proposals of many goroutines that wait at the same
// time share a commit and a sync.
//
// Nothing that a View has shown, and no answer to an append, leaves the log before the commits that
// it rests on are durable. There is one sync policy, always.
//
// The files are those of github.com/tidwall/wal: any program that reads them can read the log. Each
// entry is a frame with a checksum and the hash of the frame before it; docs/internals/format.md
// has the tables.
//
// A Memory is the same log without a directory, for tests: with faults, and power cuts.
//
// The package does not look into an event, does not know what time it is better than Options.Now,
// does not make a disk honest, and does not share a log between machines: locks and syncs of
// network file systems do not hold what they promise, so they are refused. The hash chain shows
// that history was edited in the middle; that the newest commits were cut off, or everything was
// written anew, shows only in a Head that was noted elsewhere. Copying the directory while it is
// written is no backup.
package eventlog

import (
	"errors"
	"fmt"
)

// Errors that a caller branches on. A *CorruptError wraps none of them.
var (
	ErrNoLog        = errors.New("no log in this directory") // or it was deleted or replaced since
	ErrClosed       = errors.New("log is closed")
	ErrReadOnly     = errors.New("log is read-only") // as asked for, or it may not be written
	ErrNewer        = errors.New("log was written by a newer version")
	ErrNotOurs      = errors.New("directory is not a queue")
	ErrNetworkFS    = errors.New("network file system")
	ErrDiskFull     = errors.New("disk is full")
	ErrTooLarge     = errors.New("commit is too large") // see MaxEvents and MaxFrame
	ErrNotCommitted = errors.New("not committed")       // nothing of it is in the log
	ErrUnknown      = errors.New("outcome unknown")     // it may be in the log or not
	ErrNotEmpty     = errors.New("directory is not empty")
	ErrBadBackup    = errors.New("not a whole and unchanged backup")
	ErrBeyond       = errors.New("is beyond the end of the log")
)

// CorruptError is damage: acknowledged bytes that are gone, changed or out of place, or bytes of
// which that cannot be excluded.
type CorruptError struct {
	Path     string   // file
	Offset   int64    // where the first bad frame begins
	Commit   Commit   // that should stand there
	Position Position // of the first event that is missing
	Row      int      // of the recovery table in docs/internals/format.md; 0 = not found by that
	Reason   string   // what was found
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("log is damaged: %s at offset %d (commit %d, position %d): %s", e.Path, e.Offset, e.Commit, e.Position, e.Reason)
}

// Repair is what was cut off: a torn tail, bytes after the last whole commit, which nobody was told
// were in the log; or one piece of what a repair took out of a damaged log, because somebody accepted
// that it is lost.
type Repair struct {
	Segment    string // file name; of a piece that is not from a segment, that of its file
	Offset     int64  // in Segment, where it was cut
	Size       int64  // bytes that were cut
	CRC        uint32 // CRC32C of them
	Quarantine string // name of the file in DIR/quarantine that has them; "" = not cut yet: see Report, Plan
	Verdict    string // why they could be cut, for people
	Accepted   string // who accepted the loss, for people; "" = nobody had to
	Frames     Span   // the whole frames among them
}

// Span is a part of the log that whole frames cover. Commits between them may be missing.
type Span struct {
	FirstCommit, LastCommit     Commit   // 0 = no frame is whole
	FirstPosition, LastPosition Position // of their events
	Events                      uint64
}

// add extends the span by a frame that follows.
func (s *Span) add(e *Entry) {
	if s.FirstCommit == 0 {
		s.FirstCommit, s.FirstPosition = e.Commit, e.First
	}
	s.LastCommit, s.LastPosition = e.Commit, e.Head().Position
	s.Events += uint64(len(e.Events))
}
