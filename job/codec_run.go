package job

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// A Result is a message within its event. End is written as what it is more than Start: a run of a
// second then takes 5 bytes instead of 8.

func appendResult(dst []byte, num protowire.Number, r *Result) []byte {
	if *r == (Result{}) {
		return dst
	}
	dst = protowire.AppendTag(dst, num, protowire.BytesType)
	at := len(dst)
	dst = append(dst, 0) // of the length, which takes one byte unless there is much of a tail
	dst = appendTime(dst, 1, r.Start)
	dst = appendSint(dst, 2, r.End-r.Start)
	dst = appendSint(dst, 3, int64(r.Exit))
	dst = appendUint(dst, 4, uint64(r.Signal))
	dst = appendUint(dst, 5, uint64(r.CPU))
	dst = appendUint(dst, 6, uint64(r.MaxRSS))
	dst = appendUint(dst, 7, uint64(r.OutputSize))
	dst = appendText(dst, 8, r.Tail)
	dst = appendBool(dst, 9, r.LeftBehind)
	dst = appendUint(dst, 10, uint64(r.Timeout))
	return putLength(dst, at)
}

// putLength writes the length of dst[at+1:] at dst[at], and moves the bytes if that takes more room.
func putLength(dst []byte, at int) []byte {
	size := uint64(len(dst) - at - 1)
	if size < 0x80 {
		dst[at] = byte(size)
		return dst
	}
	var room [10]byte
	more := protowire.SizeVarint(size) - 1
	dst = append(dst, room[:more]...)
	copy(dst[at+1+more:], dst[at+1:])
	protowire.AppendVarint(dst[:at], size)
	return dst
}

// result reads a Result on top of what to holds: a message may come in parts.
func (r *reader) result(to *Result) {
	elapsed := to.End - to.Start
	in := reader{data: r.raw(), shared: r.shared}
	for in.next() {
		switch in.num {
		case 1:
			to.Start = in.time()
		case 2:
			elapsed = in.sint()
		case 3:
			to.Exit = in.toInt32(in.sint())
		case 4:
			to.Signal = in.toInt32(in.int())
		case 5:
			to.CPU = time.Duration(in.int())
		case 6:
			to.MaxRSS = in.int()
		case 7:
			to.OutputSize = in.int()
		case 8:
			to.Tail = in.text()
		case 9:
			to.LeftBehind = in.bool()
		case 10:
			to.Timeout = time.Duration(in.int())
		default:
			in.skip()
		}
	}
	if in.err != nil {
		r.fail(in.err)
	}
	to.End = to.Start + elapsed
}

func appendJobClaimed(dst []byte, e JobClaimed) []byte {
	dst = appendUint(dst, 1, uint64(e.Job))
	return appendUint(dst, 2, uint64(e.Worker))
}

func (r *reader) jobClaimed() (e JobClaimed) {
	for r.next() {
		switch r.num {
		case 1:
			e.Job = Position(r.uint())
		case 2:
			e.Worker = Position(r.uint())
		default:
			r.skip()
		}
	}
	return e
}

func appendJobCompleted(dst []byte, e *JobCompleted) []byte {
	dst = appendUint(dst, 1, uint64(e.Job))
	dst = appendUint(dst, 2, uint64(e.Run))
	return appendResult(dst, 3, &e.Result)
}

func (r *reader) jobCompleted() *JobCompleted {
	e := new(JobCompleted)
	for r.next() {
		switch r.num {
		case 1:
			e.Job = Position(r.uint())
		case 2:
			e.Run = Position(r.uint())
		case 3:
			r.result(&e.Result)
		default:
			r.skip()
		}
	}
	return e
}

func appendJobFailed(dst []byte, e *JobFailed) []byte {
	dst = appendUint(dst, 1, uint64(e.Job))
	dst = appendUint(dst, 2, uint64(e.Run))
	dst = appendResult(dst, 3, &e.Result)
	dst = appendUint(dst, 4, uint64(e.Why))
	return appendTime(dst, 5, e.NextAttemptAt)
}

func (r *reader) jobFailed() *JobFailed {
	e := new(JobFailed)
	for r.next() {
		switch r.num {
		case 1:
			e.Job = Position(r.uint())
		case 2:
			e.Run = Position(r.uint())
		case 3:
			r.result(&e.Result)
		case 4:
			e.Why = Why(r.enum())
		case 5:
			e.NextAttemptAt = r.time()
		default:
			r.skip()
		}
	}
	return e
}

func appendJobDied(dst []byte, e *JobDied) []byte {
	dst = appendUint(dst, 1, uint64(e.Job))
	dst = appendUint(dst, 2, uint64(e.Run))
	dst = appendResult(dst, 3, &e.Result)
	dst = appendUint(dst, 4, uint64(e.Why))
	dst = appendUint(dst, 5, uint64(e.Failure))
	return appendUint(dst, 6, uint64(e.Parent))
}

func (r *reader) jobDied() *JobDied {
	e := new(JobDied)
	for r.next() {
		switch r.num {
		case 1:
			e.Job = Position(r.uint())
		case 2:
			e.Run = Position(r.uint())
		case 3:
			r.result(&e.Result)
		case 4:
			e.Why = Why(r.enum())
		case 5:
			e.Failure = Why(r.enum())
		case 6:
			e.Parent = Position(r.uint())
		default:
			r.skip()
		}
	}
	return e
}

func appendRunLost(dst []byte, e RunLost) []byte {
	dst = appendUint(dst, 1, uint64(e.Job))
	dst = appendUint(dst, 2, uint64(e.Run))
	return appendUint(dst, 3, uint64(e.Worker))
}

func (r *reader) runLost() (e RunLost) {
	for r.next() {
		switch r.num {
		case 1:
			e.Job = Position(r.uint())
		case 2:
			e.Run = Position(r.uint())
		case 3:
			e.Worker = Position(r.uint())
		default:
			r.skip()
		}
	}
	return e
}

func appendRunReturned(dst []byte, e RunReturned) []byte {
	dst = appendUint(dst, 1, uint64(e.Job))
	dst = appendUint(dst, 2, uint64(e.Run))
	dst = appendUint(dst, 3, uint64(e.Why))
	return appendTime(dst, 4, e.Due)
}

func (r *reader) runReturned() (e RunReturned) {
	for r.next() {
		switch r.num {
		case 1:
			e.Job = Position(r.uint())
		case 2:
			e.Run = Position(r.uint())
		case 3:
			e.Why = Why(r.enum())
		case 4:
			e.Due = r.time()
		default:
			r.skip()
		}
	}
	return e
}
