package job

import (
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

func appendJobEnqueued(dst []byte, e *JobEnqueued) []byte {
	s := &e.Spec
	dst = appendText(dst, 1, s.ID)
	dst = appendText(dst, 2, s.Command)
	if s.Queue != DefaultQueue {
		dst = appendText(dst, 3, s.Queue)
	}
	dst = appendSint(dst, 4, int64(s.Priority))
	dst = appendTime(dst, 5, e.Due)
	if s.MaxRetries != nil {
		dst = appendPresent(dst, 6, uint64(*s.MaxRetries))
	}
	dst = appendUint(dst, 7, uint64(s.OnCrash))
	dst = appendText(dst, 8, s.Kind)
	dst = appendText(dst, 9, s.Payload)
	dst = appendTexts(dst, 10, s.Argv)
	if s.Timeout != nil {
		dst = appendPresent(dst, 11, uint64(*s.Timeout))
	}
	if s.BackoffBase != nil {
		dst = appendFixed64(dst, 12, math.Float64bits(*s.BackoffBase))
	}
	if s.BackoffMax != nil {
		dst = appendPresent(dst, 13, uint64(*s.BackoffMax))
	}
	if s.BackoffJitter != nil {
		dst = appendFixed64(dst, 14, math.Float64bits(*s.BackoffJitter))
	}
	dst = appendMap(dst, 15, s.Tags)
	dst = appendMap(dst, 16, s.Env)
	dst = appendText(dst, 17, s.Cwd)
	dst = appendText(dst, 18, s.Stdin)
	if !s.CreatedAt.IsZero() {
		dst = appendFixed64(dst, 19, uint64(s.CreatedAt.UnixNano()))
	}
	dst = appendText(dst, 20, s.Extra)
	dst = appendText(dst, 21, s.ConcurrencyKey)
	dst = appendParents(dst, s)
	dst = appendText(dst, 28, s.Backoff)
	dst = appendCodes(dst, 29, s.RetryOn)
	dst = appendCodes(dst, 30, s.DeadOn)
	dst = appendCodes(dst, 31, s.SnoozeOn)
	dst = appendUint(dst, 32, uint64(s.Snooze))
	dst = appendText(dst, 22, s.UniqueKey)
	dst = appendUint(dst, 23, uint64(s.UniqueScope))
	dst = appendUint(dst, 24, uint64(s.UniqueFor))
	dst = appendText(dst, 33, s.OnComplete)
	dst = appendText(dst, 34, s.OnDead)
	if !s.Deadline.IsZero() {
		dst = appendFixed64(dst, 35, uint64(s.Deadline.UnixNano()))
	}
	dst = appendTexts(dst, 36, s.SecretEnv)
	return appendUint(dst, 37, uint64(s.DeadlineIn))
}

func appendCodes(dst []byte, num protowire.Number, codes ExitCodes) []byte {
	for _, code := range codes {
		dst = appendPresent(dst, num, uint64(uint32(code)))
	}
	return dst
}

// appendPresent writes a number even if it is 0, for fields with presence.
func appendPresent(dst []byte, num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(dst, num, protowire.VarintType), v)
}

// DecodeEnqueued reads an encoded JobEnqueued event. Its texts share the memory of data; its Queue is
// never "". The error wraps ErrDecode.
func DecodeEnqueued(data string) (*JobEnqueued, error) {
	// Every event of a decided job has max_retries: it is allocated together with the event.
	var made struct {
		event      JobEnqueued
		maxRetries uint32
	}
	e, s := &made.event, &made.event.Spec
	s.Queue = DefaultQueue
	r := readerOf(data)
	var on []AfterOn // of the parents
	for r.next() {
		switch r.num {
		case 1:
			s.ID = r.text()
		case 2:
			s.Command = r.text()
		case 3:
			s.Queue = r.text()
		case 4:
			s.Priority = r.toInt32(r.sint())
		case 5:
			e.Due = r.time()
		case 6:
			made.maxRetries = r.uint32()
			s.MaxRetries = &made.maxRetries
		case 7:
			s.OnCrash = OnCrash(r.enum())
		case 8:
			s.Kind = r.text()
		case 9:
			s.Payload = r.bytes()
		case 10:
			s.Argv = append(s.Argv, r.text())
		case 26:
			on = append(on, AfterOn(r.enum()))
		default:
			r.rareOfSpec(s)
		}
	}
	if r.err != nil {
		return nil, r.failure(KindJobEnqueued)
	}
	s.spread(on)
	if s.Queue == "" { // other encoders may write the empty text
		s.Queue = DefaultQueue
	}
	return e, nil
}

// rareOfSpec reads the fields that few specs have.
func (r *reader) rareOfSpec(s *Spec) {
	switch r.num {
	case 11:
		s.Timeout = new(time.Duration(r.int()))
	case 12:
		s.BackoffBase = new(math.Float64frombits(r.fixed64()))
	case 13:
		s.BackoffMax = new(time.Duration(r.int()))
	case 14:
		s.BackoffJitter = new(math.Float64frombits(r.fixed64()))
	case 15:
		s.Tags = r.entry(s.Tags)
	case 16:
		s.Env = r.entry(s.Env)
	case 17:
		s.Cwd = r.text()
	case 18:
		s.Stdin = r.text()
	case 19:
		s.CreatedAt = time.Unix(0, r.time()).UTC()
	case 20:
		s.Extra = r.bytes()
	case 21:
		s.ConcurrencyKey = r.text()
	case 25:
		s.After = append(s.After, Parent{Key: Position(r.uint())})
	case 27:
		s.OnParentFailure = OnParentFailure(r.enum())
	case 28:
		s.Backoff = Backoff(r.text())
	case 29:
		s.RetryOn = append(s.RetryOn, int32(r.uint32()))
	case 30:
		s.DeadOn = append(s.DeadOn, int32(r.uint32()))
	case 31:
		s.SnoozeOn = append(s.SnoozeOn, int32(r.uint32()))
	case 32:
		s.Snooze = time.Duration(r.int())
	case 22:
		s.UniqueKey = r.text()
	case 23:
		s.UniqueScope = Scope(r.enum())
	case 24:
		s.UniqueFor = time.Duration(r.int())
	case 35:
		s.Deadline = time.Unix(0, r.time()).UTC()
	case 36:
		s.SecretEnv = append(s.SecretEnv, r.text())
	case 37:
		s.DeadlineIn = time.Duration(r.int())
	case 33:
		s.OnComplete = r.bytes()
	case 34:
		s.OnDead = r.bytes()
	default:
		r.skip()
	}
}

// Peek is what can be read from an encoded JobEnqueued event without decoding the rest of it. Its
// texts share the memory of the encoded form.
type Peek struct {
	ID             string
	Queue          string // never ""
	Kind           string // "" = a shell job
	Priority       int32
	Due            int64 // Unix nanoseconds; 0 = at once
	MaxRetries     uint32
	OnCrash        OnCrash
	UniqueKey      string // "" = none
	ConcurrencyKey string // "" = none
	After          bool   // it has parents: see PeekParents
	OnParent       OnParentFailure
	Deadline       int64 // Unix nanoseconds; 0 = none
}

// PeekEnqueued reads a Peek from an encoded JobEnqueued event. It allocates nothing. It passes over the
// fields that it does not need, but checks their form: what it accepts can be decoded later. The error
// wraps ErrDecode.
func PeekEnqueued(data string) (Peek, error) {
	p := Peek{Queue: DefaultQueue}
	r := readerOf(data)
	for r.next() {
		switch r.num {
		case 1:
			p.ID = r.text()
		case 3:
			p.Queue = r.text()
		case 4:
			p.Priority = r.toInt32(r.sint())
		case 5:
			p.Due = r.time()
		case 6:
			p.MaxRetries = r.uint32()
		case 7:
			p.OnCrash = OnCrash(r.enum())
		case 8:
			p.Kind = r.text()
		case 22:
			p.UniqueKey = r.text()
		case 21:
			p.ConcurrencyKey = r.text()
		case 25:
			r.uint()
			p.After = true
		case 27:
			p.OnParent = OnParentFailure(r.enum())
		case 35:
			p.Deadline = r.time()
		default:
			r.passOfSpec()
		}
	}
	if r.err != nil {
		return Peek{}, r.failure(KindJobEnqueued)
	}
	if p.Queue == "" {
		p.Queue = DefaultQueue
	}
	return p, nil
}

// passOfSpec passes over a field that a Peek does not need, if DecodeEnqueued could read it.
func (r *reader) passOfSpec() {
	switch r.num {
	case 2, 9, 10, 17, 18, 20, 28, 33, 34, 36:
		r.raw()
	case 11, 13, 24, 32, 37:
		r.uint()
	case 23, 26:
		r.enum()
	case 29, 30, 31:
		r.uint32()
	case 12, 14, 19:
		r.fixed64()
	case 15, 16:
		in := reader{data: r.raw()}
		for in.next() {
			if in.num == 1 || in.num == 2 {
				in.raw()
			} else {
				in.skip()
			}
		}
		if in.err != nil {
			r.fail(in.err)
		}
	default:
		r.skip()
	}
}
