package eventlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"hash/crc32"
	"runtime"
	"sort"
	"testing"
	"time"
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

var verifySize = flag.Int("verify.mib", 16, "size of the log that BenchmarkVerify checks, MiB")

// BenchmarkVerify checks a log from files. The bound is what it cannot do without: one CRC32C and one
// SHA-256 of each frame, which is in memory.
func BenchmarkVerify(b *testing.B) {
	for _, n := range []int{1, 4, 64} {
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			h := newHandmade(1, 2)
			for size := *verifySize << 20; size > 0; size -= len(h.last().data) {
				if h.commits() > 0 {
					h.rotate()
				}
				for len(h.last().data) < defaultSegmentSize {
					h.append(b, benchEvents(n)...)
				}
			}
			dir := h.write(b)
			var bound time.Duration
			b.ReportAllocs()
			for b.Loop() {
				report, err := Verify(context.Background(), dir, VerifyOptions{})
				if err != nil || len(report.Damage) > 0 {
					b.Fatal(report, err)
				}
				b.SetBytes(report.Bytes)
				b.StopTimer()
				bound += checksums(h)
				b.StartTimer()
			}
			perEvent(b, int(h.end().head.Position))
			b.ReportMetric(float64(b.Elapsed())/float64(bound), "x-bound")
		})
	}
}

// checksums returns how long the checksums of all frames take.
func checksums(h *handmade) time.Duration {
	start := time.Now()
	crc, sum := uint32(0), Hash{}
	for i, end := range h.tips[1:] {
		s := h.segments[sort.Search(len(h.segments), func(k int) bool { return h.segments[k].first > Commit(i+1) })-1]
		from := int64(0)
		if s.first <= Commit(i) {
			from = h.tips[i].offset
		}
		to := end.offset
		if to == 0 { // the next segment follows
			to = int64(len(s.data))
		}
		crc, sum = crc32.Update(crc, castagnoli, s.data[from:to]), sha256.Sum256(s.data[from:to])
	}
	runtime.KeepAlive(crc)
	runtime.KeepAlive(sum)
	return time.Since(start)
}
