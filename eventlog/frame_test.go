package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"reflect"
	"testing"
)

var (
	someID    = LogID{1, 2, 3, 0xfe}
	somePlace = place{id: someID, segment: 7, offset: 1234}
	someMeta  = Meta{
		User: "ada", Host: "loom", PID: 42, Program: "queuectl 1.0",
		Reason: "why", Dir: "/home/ada", Path: "/bin:/usr/bin",
	}
)

func someFrame(tb testing.TB) (frame []byte, h header, events []Event) {
	tb.Helper()
	h = header{Commit: 9, First: 100, Time: -5, SyncedThrough: 8, Prev: Hash{0xaa, 31: 0xbb}}
	events = []Event{{Kind: 1, Data: []byte("one")}, {Kind: 65535}, {Kind: 128, Data: bytes.Repeat([]byte{'x'}, 300)}}
	frame, _, err := appendFrame(nil, h, &someMeta, events, somePlace)
	if err != nil {
		tb.Fatal(err)
	}
	return frame, h, events
}

func TestFrame_DecodesWhatWasEncoded(t *testing.T) {
	t.Parallel()
	frame, h, events := someFrame(t)
	_, sum, _ := appendFrame(nil, h, &someMeta, events, somePlace)
	var e Entry
	if err := decodeFrame(frame, somePlace, &e); err != nil {
		t.Fatal(err)
	}
	got := header{e.Commit, e.First, e.Time, e.SyncedThrough, e.Prev, false}
	if got != h || *e.Meta != someMeta || e.Hash != sum {
		t.Errorf("got %+v %+v %v, want %+v %+v %v", got, *e.Meta, e.Hash, h, someMeta, sum)
	}
	if len(e.Events) != len(events) {
		t.Fatalf("got %d events, want %d", len(e.Events), len(events))
	}
	for i, ev := range e.Events {
		if ev.Kind != events[i].Kind || !bytes.Equal(ev.Data, events[i].Data) {
			t.Errorf("event %d: got %v, want %v", i, ev, events[i])
		}
		if cap(ev.Data) != len(ev.Data) {
			t.Errorf("event %d: an append to its data would overwrite the next event", i)
		}
	}
	if e.Segment != "00000000000000000007" || e.Offset != 1234 || e.Size != len(frame) {
		t.Errorf("got place %s %d %d", e.Segment, e.Offset, e.Size)
	}
}

func TestFrame_AppendKeepsWhatIsBeforeIt(t *testing.T) {
	t.Parallel()
	frame, h, events := someFrame(t)
	got, _, err := appendFrame([]byte("before"), h, &someMeta, events, somePlace)
	if err != nil || string(got[:6]) != "before" || !bytes.Equal(got[6:], frame) {
		t.Errorf("err %v, frame differs: %v", err, !bytes.Equal(got[6:], frame))
	}
}

func TestFrame_IsRefusedAtAnotherPlace(t *testing.T) {
	t.Parallel()
	frame, _, _ := someFrame(t)
	for name, p := range map[string]place{
		"other offset":  {id: someID, segment: 7, offset: 1235},
		"far offset":    {id: someID, segment: 7, offset: 1234 + 1<<40},
		"other segment": {id: someID, segment: 8, offset: 1234},
		"other log":     {id: LogID{1, 2, 3, 0xff}, segment: 7, offset: 1234},
	} {
		if err := decodeFrame(frame, p, new(Entry)); !isBad(err) {
			t.Errorf("%s: got %v, want a bad frame", name, err)
		}
	}
}

func isBad(err error) bool {
	var bad badFrame
	return errors.As(err, &bad)
}

// reseal makes the checksum right again after a change, as a faulty or hostile writer would.
func reseal(frame []byte, p place) []byte {
	end := len(frame) - trailerSize
	var seed [32]byte
	copy(seed[:], p.id[:])
	binary.LittleEndian.PutUint64(seed[16:], uint64(p.segment))
	binary.LittleEndian.PutUint64(seed[24:], uint64(p.offset))
	crc := crc32.Update(crc32.Checksum(seed[:], castagnoli), castagnoli, frame[:end])
	binary.LittleEndian.PutUint32(frame[end:], crc)
	return frame
}

func TestFrame_RefusesWithRightChecksum(t *testing.T) {
	t.Parallel()
	body := headerSize + 1 // of the first byte of the meta's fields
	tests := []struct {
		name   string
		change func(b []byte) []byte
		newer  bool
	}{
		{"no magic", func(b []byte) []byte { b[0]++; return b }, false},
		{"format 0", func(b []byte) []byte { b[offFormat] = 0; return b }, false},
		{"format 2", func(b []byte) []byte { b[offFormat] = 2; return b }, true},
		{"unknown flag", func(b []byte) []byte { b[offFlags] = 0x80; return b }, true},
		{"short header", func(b []byte) []byte { b[offHeaderLen]--; return b }, false},
		{"body longer than the frame", func(b []byte) []byte { b[offBodyLen]++; return b }, false},
		{"body of 4 GiB", func(b []byte) []byte { copy(b[offBodyLen:], "\xff\xff\xff\xff"); return b }, false},
		{"no events", func(b []byte) []byte { b[offEvents] = 0; return b }, false},
		{"fewer events", func(b []byte) []byte { b[offEvents] = 2; return b }, false},
		{"more events", func(b []byte) []byte { b[offEvents] = 4; return b }, false},
		{"4 billion events", func(b []byte) []byte { copy(b[offEvents:], "\xff\xff\xff\xff"); return b }, false},
		{"as many events as can be", func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[offEvents:], MaxEvents)
			return b
		}, false},
		{"a number in a longer form", func(b []byte) []byte {
			i := bytes.Index(b, []byte("\x01\x03one"))
			copy(b[i:], "\x81\x00\x02")
			return b
		}, false},
		{"a byte behind it", func(b []byte) []byte { return append(b, 0) }, false},
		{"meta longer than the body", func(b []byte) []byte { b[headerSize], b[body] = 0xff, 0x7f; return b }, false},
		{"malformed meta", func(b []byte) []byte { b[body] = 0x07; return b }, false},
		{"cut by one", func(b []byte) []byte { return b[:len(b)-1] }, false},
		{"header only", func(b []byte) []byte { return b[:headerSize] }, false},
		{"one byte", func(b []byte) []byte { return b[:trailerSize+1] }, false},
	}
	for _, tt := range tests {
		frame, _, _ := someFrame(t)
		frame = reseal(tt.change(frame), somePlace)
		var e Entry
		err := decodeFrame(frame, somePlace, &e)
		if cap(e.Events)*minEvent > len(frame) {
			t.Errorf("%s: memory for %d events was taken", tt.name, cap(e.Events))
		}
		if tt.newer != errors.Is(err, ErrNewer) || tt.newer == isBad(err) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

func TestFrame_LaterHeaderFieldsAreSkipped(t *testing.T) {
	t.Parallel()
	frame, _, events := someFrame(t)
	b := append(bytes.Clone(frame[:headerSize]), "a later field"...)
	binary.LittleEndian.PutUint16(b[offHeaderLen:], uint16(len(b)))
	b = reseal(append(b, frame[headerSize:]...), somePlace)
	var e Entry
	if err := decodeFrame(b, somePlace, &e); err != nil {
		t.Fatal(err)
	}
	if len(e.Events) != len(events) || *e.Meta != someMeta {
		t.Errorf("got %d events, %+v", len(e.Events), *e.Meta)
	}
}

func TestFrame_LaterMetaFieldsAreSkipped(t *testing.T) {
	t.Parallel()
	var e Entry
	b := appendMeta(nil, &someMeta)[1:]
	later := append([]byte{15 << 3, 7}, b...)  // a number nobody knows
	later = append(later, 1<<3, 9, 15<<3|2, 0) // and the user as a number
	if err := e.decodeMeta(later); err != nil || *e.Meta != someMeta {
		t.Errorf("got %v %+v", err, e.Meta)
	}
}

func TestFrame_EqualMetaIsShared(t *testing.T) {
	t.Parallel()
	frame, _, _ := someFrame(t)
	var e Entry
	if err := decodeFrame(frame, somePlace, &e); err != nil {
		t.Fatal(err)
	}
	first := e.Meta
	if err := decodeFrame(frame, somePlace, &e); err != nil || e.Meta != first {
		t.Errorf("err %v, same meta decoded twice: %v", err, e.Meta != first)
	}
	for i := range 3 * metasKept {
		err := e.decodeMeta(appendMeta(nil, &Meta{PID: uint32(i + 1)})[1:])
		if err != nil || e.Meta.PID != uint32(i+1) || len(e.metas) > metasKept {
			t.Fatalf("got %+v, %v, and %d are kept", *e.Meta, err, len(e.metas))
		}
	}
	other, _, _ := appendFrame(nil, header{Commit: 10}, &Meta{User: "bob"}, []Event{{}}, somePlace)
	if err := decodeFrame(other, somePlace, &e); err != nil || *e.Meta != (Meta{User: "bob"}) || *first != someMeta {
		t.Errorf("err %v, got %+v, and the first became %+v", err, *e.Meta, *first)
	}
}

func TestMeta_EveryFieldIsKept(t *testing.T) {
	t.Parallel()
	full := reflect.ValueOf(someMeta)
	for i := range full.NumField() {
		if full.Field(i).IsZero() {
			t.Errorf("someMeta has no %s", full.Type().Field(i).Name)
		}
	}
}

func TestFrame_BoundsAreExact(t *testing.T) {
	t.Parallel()
	// The last two are those of its kind and its length.
	room := MaxFrame - headerSize - trailerSize - len(appendMeta(nil, &someMeta)) - 1 - 4
	tests := []struct {
		name   string
		events []Event
		want   error
	}{
		{"largest event", []Event{{Kind: 1, Data: make([]byte, room)}}, nil},
		{"one byte more", []Event{{Kind: 1, Data: make([]byte, room+1)}}, ErrTooLarge},
		{"most events", make([]Event, MaxEvents), nil},
		{"one event more", make([]Event, MaxEvents+1), ErrTooLarge},
	}
	for _, tt := range tests {
		dst := []byte("before")
		frame, _, err := appendFrame(dst, header{Commit: 1, First: 1}, &someMeta, tt.events, somePlace)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
			continue
		}
		if err != nil {
			if string(frame) != "before" {
				t.Errorf("%s: %d bytes were left behind", tt.name, len(frame)-len(dst))
			}
			continue
		}
		var e Entry
		if err := decodeFrame(frame[len(dst):], somePlace, &e); err != nil || len(e.Events) != len(tt.events) {
			t.Errorf("%s: decoded %d events, %v", tt.name, len(e.Events), err)
		}
	}
}

func TestEntrySize_IsThatOfTheWAL(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 127, 128, 16383, 16384, 1<<21 - 1, 1 << 21, MaxFrame} {
		if got, want := entrySize(n), len(binary.AppendUvarint(nil, uint64(n)))+n; got != want {
			t.Errorf("entrySize(%d) = %d, want %d", n, got, want)
		}
		if entrySize(n)-n > maxPrefix {
			t.Errorf("the prefix of %d is longer than maxPrefix", n)
		}
	}
}

func TestFrame_CodecDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("needs a build without the race detector, which allocates")
	}
	frame, h, events := someFrame(t)
	var e Entry
	dst := make([]byte, 0, 2*len(frame))
	if n := testing.AllocsPerRun(100, func() { _, _, _ = appendFrame(dst, h, &someMeta, events, somePlace) }); n > 0 {
		t.Errorf("appendFrame allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { _ = decodeFrame(frame, somePlace, &e) }); n > 0 {
		t.Errorf("decodeFrame allocates %v times", n)
	}
}

func FuzzDecodeFrame(f *testing.F) {
	frame, _, _ := someFrame(f)
	f.Add(frame)
	f.Add(frame[:headerSize])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Entry
		_ = decodeFrame(b, somePlace, &e)
		if len(b) < headerSize+trailerSize {
			return
		}
		// With a right checksum, to get behind it.
		b = reseal(bytes.Clone(b), somePlace)
		if err := decodeFrame(b, somePlace, &e); err != nil {
			return
		}
		if len(e.Events)*minEvent > len(b) {
			t.Fatalf("%d events in %d bytes", len(e.Events), len(b))
		}
		h := header{e.Commit, e.First, e.Time, e.SyncedThrough, e.Prev, false}
		again, sum, err := appendFrame(nil, h, e.Meta, e.Events, somePlace)
		if err != nil {
			t.Fatal(err)
		}
		n, k := uvarint(b[binary.LittleEndian.Uint16(b[offHeaderLen:]):])
		raw := b[binary.LittleEndian.Uint16(b[offHeaderLen:]):][:k+int(n)]
		if !bytes.Equal(appendMeta(nil, e.Meta), raw) || binary.LittleEndian.Uint16(b[offHeaderLen:]) != headerSize {
			return // a later version's fields, or the same ones in another order
		}
		if !bytes.Equal(again, b) || sum != e.Hash {
			t.Fatalf("encoding again gives\n%x, want\n%x", again, b)
		}
	})
}
