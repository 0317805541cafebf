package job

import "google.golang.org/protobuf/encoding/protowire"

// The events about the log itself.

func appendLogCreated(dst []byte, e LogCreated) []byte {
	dst = appendElement(dst, 1, e.LogID[:])
	dst = appendUint(dst, 2, uint64(e.Format))
	return appendUint(dst, 3, uint64(e.Level))
}

func (r *reader) logCreated() (e LogCreated) {
	for r.next() {
		switch r.num {
		case 1:
			copy(e.LogID[:], r.exactly(len(e.LogID)))
		case 2:
			e.Format = r.uint32()
		case 3:
			e.Level = r.uint32()
		default:
			r.skip()
		}
	}
	return e
}

// exactly returns a field of this many bytes, or nil after failing.
func (r *reader) exactly(size int) []byte {
	b := r.raw()
	if r.err == nil && len(b) != size {
		r.fail(errLength)
		return nil
	}
	return b
}

func appendLogRepaired(dst []byte, e LogRepaired) []byte {
	dst = appendText(dst, 1, e.Segment)
	dst = appendUint(dst, 2, uint64(e.Offset))
	dst = appendUint(dst, 3, uint64(e.Size))
	if e.CRC != 0 {
		dst = protowire.AppendFixed32(protowire.AppendTag(dst, 4, protowire.Fixed32Type), e.CRC)
	}
	dst = appendText(dst, 5, e.Quarantine)
	dst = appendText(dst, 6, e.Verdict)
	dst = appendText(dst, 7, e.Accepted)
	dst = appendUint(dst, 8, e.FirstCommit)
	dst = appendUint(dst, 9, e.LastCommit)
	dst = appendUint(dst, 10, uint64(e.FirstPosition))
	dst = appendUint(dst, 11, uint64(e.LastPosition))
	return appendUint(dst, 12, e.Events)
}

func (r *reader) logRepaired() (e LogRepaired) {
	for r.next() {
		switch r.num {
		case 1:
			e.Segment = r.text()
		case 2:
			e.Offset = r.int()
		case 3:
			e.Size = r.int()
		case 4:
			e.CRC = r.fixed32()
		case 5:
			e.Quarantine = r.text()
		case 6:
			e.Verdict = r.text()
		case 7:
			e.Accepted = r.text()
		case 8:
			e.FirstCommit = r.uint()
		case 9:
			e.LastCommit = r.uint()
		case 10:
			e.FirstPosition = Position(r.uint())
		case 11:
			e.LastPosition = Position(r.uint())
		case 12:
			e.Events = r.uint()
		default:
			r.skip()
		}
	}
	return e
}

func (r *reader) fixed32() uint32 {
	if r.typ != protowire.Fixed32Type {
		r.fail(errWireType)
		return 0
	}
	v, n := protowire.ConsumeFixed32(r.left())
	r.took(n)
	return v
}

func appendClockStepped(dst []byte, e ClockStepped) []byte {
	dst = appendTime(dst, 1, e.From)
	return appendTime(dst, 2, e.To)
}

func (r *reader) clockStepped() (e ClockStepped) {
	for r.next() {
		switch r.num {
		case 1:
			e.From = r.time()
		case 2:
			e.To = r.time()
		default:
			r.skip()
		}
	}
	return e
}

func appendLogRestored(dst []byte, e LogRestored) []byte {
	dst = appendUint(dst, 1, e.Commit)
	dst = appendElement(dst, 2, e.Head[:])
	dst = appendTime(dst, 3, e.Backup)
	return appendText(dst, 4, e.From)
}

func (r *reader) logRestored() (e LogRestored) {
	for r.next() {
		switch r.num {
		case 1:
			e.Commit = r.uint()
		case 2:
			copy(e.Head[:], r.exactly(len(e.Head)))
		case 3:
			e.Backup = r.time()
		case 4:
			e.From = r.text()
		default:
			r.skip()
		}
	}
	return e
}

func appendArchivePruned(dst []byte, e ArchivePruned) []byte {
	dst = appendUint(dst, 1, e.First)
	dst = appendUint(dst, 2, e.Last)
	dst = appendUint(dst, 3, uint64(e.From))
	dst = appendUint(dst, 4, uint64(e.To))
	dst = appendElement(dst, 5, e.Head[:])
	return appendElement(dst, 6, e.Base[:])
}

func (r *reader) archivePruned() (e ArchivePruned) {
	for r.next() {
		switch r.num {
		case 1:
			e.First = r.uint()
		case 2:
			e.Last = r.uint()
		case 3:
			e.From = Position(r.uint())
		case 4:
			e.To = Position(r.uint())
		case 5:
			copy(e.Head[:], r.exactly(len(e.Head)))
		case 6:
			copy(e.Base[:], r.exactly(len(e.Base)))
		default:
			r.skip()
		}
	}
	return e
}
