package eventlog

import (
	"bytes"
	"context"
	"fmt"
	"testing"
)

// benchEvents is a commit of n events of 100 bytes.
func benchEvents(n int) []Event {
	events := make([]Event, n)
	for i := range events {
		events[i] = Event{Kind: 10, Data: bytes.Repeat([]byte{'x'}, 100)}
	}
	return events
}

// perEvent reports the rate of events, for commits of n.
func perEvent(b *testing.B, n int) {
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkFrame(b *testing.B) {
	for _, n := range []int{1, 64} {
		events := benchEvents(n)
		frame, _, _ := appendFrame(nil, header{Commit: 1, First: 1}, &someMeta, events, somePlace)
		b.Run(fmt.Sprintf("encode/events=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(frame)))
			var dst []byte
			for b.Loop() {
				dst, _, _ = appendFrame(dst[:0], header{Commit: 1, First: 1}, &someMeta, events, somePlace)
			}
			perEvent(b, n)
		})
		b.Run(fmt.Sprintf("decode/events=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(frame)))
			var e Entry
			for b.Loop() {
				if err := decodeFrame(frame, somePlace, &e); err != nil {
					b.Fatal(err)
				}
			}
			perEvent(b, n)
		})
	}
}

// BenchmarkScan reads a segment of 1 MiB; one operation is the whole segment.
func BenchmarkScan(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			h := newHandmade(1, 2)
			for len(h.last().data) < 1<<20 {
				h.append(b, benchEvents(n)...)
			}
			data := h.last().data
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				t := firstTip(h.id)
				why, err := scan(bytes.NewReader(data), int64(len(data)), &t, func(*Entry) error { return nil })
				if err != nil || why.kind != stopClean {
					b.Fatal(why, err)
				}
			}
			perEvent(b, int(h.end().head.Position))
		})
	}
}

// BenchmarkVerify checks a log of 64 segments of 128 KiB, from files.
func BenchmarkVerify(b *testing.B) {
	h := newHandmade(1, 2)
	for i := range 64 {
		if i > 0 {
			h.rotate()
		}
		for len(h.last().data) < 128<<10 {
			h.append(b, benchEvents(4)...)
		}
	}
	dir := h.write(b)
	b.ReportAllocs()
	for b.Loop() {
		report, err := Verify(context.Background(), dir, nil)
		if err != nil || len(report.Damage) > 0 {
			b.Fatal(report, err)
		}
		b.SetBytes(report.Bytes)
	}
	perEvent(b, int(h.end().head.Position))
}
