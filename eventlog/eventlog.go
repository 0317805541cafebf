// Package eventlog keeps commits of events in a directory that several processes share, and tells the
// truth after every kind of death. (full package doc: promises 1–6, what it does not do)
package eventlog

import (
	"errors"
	"fmt"
)

// Errors that a caller branches on. A *CorruptError wraps none of them.
var (
	ErrNoLog        = errors.New("no log in this directory")
	ErrClosed       = errors.New("log is closed")
	ErrReadOnly     = errors.New("log is read-only") // no permission, read-only file system
	ErrNewer        = errors.New("log was written by a newer version")
	ErrNotOurs      = errors.New("directory is not a queue")
	ErrNetworkFS    = errors.New("network file system")
	ErrDiskFull     = errors.New("disk is full")
	ErrTooLarge     = errors.New("commit is too large")
	ErrNotCommitted = errors.New("not committed")   // the write failed and nothing of it is in the log
	ErrUnknown      = errors.New("outcome unknown") // the write or its sync failed: it may or may not be in the log
)

// CorruptError is damage: acknowledged bytes that are gone, changed or out of place, or bytes of
// which that cannot be excluded.
type CorruptError struct {
	Path     string   // file
	Offset   int64    // where the first bad frame begins
	Commit   Commit   // that should stand there
	Position Position // of the first event that is missing
	Row      int      // of the recovery table (docs/internals/format.md); 0 = found by a check outside it
	Reason   string   // what was found
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("log is damaged: %s at offset %d (commit %d, position %d): %s", e.Path, e.Offset, e.Commit, e.Position, e.Reason)
}

// Repair is a torn tail that Open or an append cut off.
type Repair struct {
	Segment    string
	Offset     int64
	Size       int64
	CRC        uint32
	Quarantine string
	Verdict    string
}
