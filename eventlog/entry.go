package eventlog

import (
	"encoding/binary"
	"encoding/hex"

	"google.golang.org/protobuf/encoding/protowire"
)

// Commit is the number of a commit, which is its index in the WAL: dense, from 1. 0 = none.
type Commit uint64

// Position is the number of an event, dense over the events of all commits, from 1. 0 = none.
type Position uint64

// Hash is the SHA-256 of a frame without its CRC; frame i+1 carries that of frame i.
type Hash [32]byte

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// LogID is random, made with the log; as a Hash (padded with zeros) it stands for the hash before
// commit 1.
type LogID [16]byte

// String returns the id in hexadecimal.
func (id LogID) String() string { return hex.EncodeToString(id[:]) }

// hash is what commit 1 carries as the hash before it.
func (id LogID) hash() (h Hash) {
	copy(h[:], id[:])
	return h
}

// Head identifies everything in a log up to one commit. Two logs with the same Head are the same up
// to it, byte for byte.
type Head struct {
	Commit   Commit
	Position Position // of the commit's last event
	Hash     Hash
}

// Meta is what all events of a commit share, besides their time: who wrote them, as the process
// itself reports it, and why. eventlog stores it and gives it back; empty strings and a PID of 0
// mean that nothing is known.
type Meta struct {
	User, Host string
	PID        uint32
	Program    string // with its version
	Reason     string
	Dir, Path  string // the caller's working directory and its PATH
}

// Event is one fact as eventlog sees it: a number, and bytes that it never looks into.
type Event struct {
	Kind uint16
	Data []byte
}

// Entry is one commit as read from the log. It and what it points to, except Meta, is valid until
// the call that passed it returns or, from a Reader, until the next call.
type Entry struct {
	Commit        Commit
	First         Position // of Events[0]; the others follow without a gap
	Time          int64    // Unix nanoseconds, the writer's wall clock: it may step back
	SyncedThrough Commit   // known durable when this commit was written
	Meta          *Meta    // shared between entries that have the same; not to be changed
	Events        []Event  // at least one
	Prev, Hash    Hash
	Frame         []byte // as it was read, without its checksum: Hash is the SHA-256 of it
	Segment       string // file name
	Offset        int64  // in Segment, of the frame's length prefix
	Size          int    // of the frame without its length prefix, bytes

	seed    [seedSize]byte
	segment Commit           // Segment as a number, to make the string once
	metas   map[string]*Meta // by their encoding, to decode the same one once
}

// Head returns the Head of the log up to this commit.
func (e *Entry) Head() Head {
	return Head{Commit: e.Commit, Position: e.First + Position(len(e.Events)) - 1, Hash: e.Hash}
}

// The fields of a Meta on disk, in protobuf wire format: fields can be added, and unknown ones are
// skipped. Empty ones are left out.
const (
	metaUser    protowire.Number = 1 // string
	metaHost    protowire.Number = 2 // string
	metaPID     protowire.Number = 3 // varint
	metaProgram protowire.Number = 4 // string
	metaReason  protowire.Number = 5 // string
	metaDir     protowire.Number = 6 // string
	metaPath    protowire.Number = 7 // string
)

// appendMeta appends the length of m's encoding and the encoding.
func appendMeta(dst []byte, m *Meta) []byte {
	var scratch [256]byte
	b := scratch[:0]
	text := func(field protowire.Number, s string) {
		if s != "" {
			b = protowire.AppendTag(b, field, protowire.BytesType)
			b = protowire.AppendString(b, s)
		}
	}
	text(metaUser, m.User)
	text(metaHost, m.Host)
	if m.PID != 0 {
		b = protowire.AppendTag(b, metaPID, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(m.PID))
	}
	text(metaProgram, m.Program)
	text(metaReason, m.Reason)
	text(metaDir, m.Dir)
	text(metaPath, m.Path)
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// A few processes write most of a log in turn. Few and short ones are kept, so that this takes no
// memory to speak of.
const (
	metasKept   = 64
	metaKeptMax = 4 << 10 // bytes
)

// decodeMeta sets e.Meta, anew only if b is not among those decoded of late.
func (e *Entry) decodeMeta(b []byte) error {
	if m := e.metas[string(b)]; m != nil {
		e.Meta = m
		return nil
	}
	m := new(Meta)
	for rest := b; len(rest) > 0; {
		field, kind, k := protowire.ConsumeTag(rest)
		if k < 0 {
			return badFrame("its meta is malformed")
		}
		n := protowire.ConsumeFieldValue(field, kind, rest[k:])
		if n < 0 {
			return badFrame("its meta is malformed")
		}
		m.set(field, kind, rest[k:k+n])
		rest = rest[k+n:]
	}
	e.Meta = m
	if len(b) > metaKeptMax {
		return nil
	}
	if e.metas == nil {
		e.metas = make(map[string]*Meta)
	}
	if len(e.metas) == metasKept {
		clear(e.metas)
	}
	e.metas[string(b)] = m
	return nil
}

// set takes one field; one that is not known, or not of the known type, is from a later version and
// skipped.
func (m *Meta) set(field protowire.Number, kind protowire.Type, value []byte) {
	if field == metaPID && kind == protowire.VarintType {
		pid, _ := protowire.ConsumeVarint(value)
		m.PID = uint32(pid)
		return
	}
	if kind != protowire.BytesType {
		return
	}
	text, _ := protowire.ConsumeString(value)
	switch field {
	case metaUser:
		m.User = text
	case metaHost:
		m.Host = text
	case metaProgram:
		m.Program = text
	case metaReason:
		m.Reason = text
	case metaDir:
		m.Dir = text
	case metaPath:
		m.Path = text
	}
}
