package job

import "testing"

// Replay must reach 3 million events a second on a core, fold included: 333 ns for each.

func benchmarkEvents() []Event {
	return []Event{
		pendingJob(),
		JobClaimed{Job: 1_000_000, Worker: 1_000},
		&JobCompleted{Job: 1_000_000, Run: 2_000_000, Result: Result{
			Start: sampleTime, End: sampleTime + 1e9, CPU: 2e6, MaxRSS: 3 << 20, OutputSize: 100,
		}},
		&JobFailed{Job: 1_000_000, Run: 2_000_000, Why: WhyExit, NextAttemptAt: sampleTime, Result: Result{
			Exit: 3, Start: sampleTime, End: sampleTime + 1e9, CPU: 2e6, MaxRSS: 3 << 20, OutputSize: 100, Tail: "no such file\n",
		}},
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	for _, e := range benchmarkEvents() {
		b.Run(KindOf(e).String(), func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 1<<10)
			for b.Loop() {
				buf = AppendEvent(buf[:0], e)
			}
			b.ReportMetric(float64(len(buf)), "B/event")
		})
	}
}

func BenchmarkDecodeEvent(b *testing.B) {
	for _, e := range benchmarkEvents() {
		k, data := KindOf(e), AppendEvent(nil, e)
		b.Run(k.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeEvent(k, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeEnqueued(b *testing.B) {
	data := string(AppendEvent(nil, pendingJob()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeEnqueued(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPeekEnqueued(b *testing.B) {
	data := string(AppendEvent(nil, pendingJob()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := PeekEnqueued(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseSpec(b *testing.B) {
	data := []byte(`{"id":"job-123456","command":"echo hello world","max_retries":3,"queue":"mail"}`)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ParseSpec(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMarshalJSON(b *testing.B) {
	j := Job{Spec: pendingJob().Spec, State: Pending, CreatedAt: minTime, UpdatedAt: minTime}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := j.MarshalJSON(); err != nil {
			b.Fatal(err)
		}
	}
}
