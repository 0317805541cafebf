package soak

import (
	"encoding/csv"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// measured makes a record of 40 samples.
func measured(every time.Duration, kind Kind, value func(i int) float64) *Record {
	r := &Record{}
	for i := range 40 {
		r.Begin(time.Duration(i+1) * every)
		r.Set(kind, "it", value(i))
	}
	return r
}

func TestGrown_TellsARiseFromAWave(t *testing.T) {
	t.Parallel()
	const minute, second = time.Minute, time.Second
	wave := func(least float64) func(int) float64 {
		return func(i int) float64 { return least + float64(i%5)*least/5 }
	}
	slope := func(first, each float64) func(int) float64 {
		return func(i int) float64 { return first + each*float64(i) }
	}
	early := func(i int) float64 { return float64(min(i, 9)) * (9 << 20) }
	peak := func(i int) float64 { return map[bool]float64{true: 9 << 30, false: 9 << 20}[i == 37] }
	unknown := func(int) float64 { return math.NaN() }
	often := func(i int) float64 { return map[bool]float64{true: math.NaN(), false: float64(15 + i)}[i%2 == 0] }
	for name, tt := range map[string]struct {
		record *Record
		want   string
	}{
		"memory that is flat":        {measured(minute, Memory, wave(30<<20)), ""},
		"memory that falls":          {measured(minute, Memory, slope(90<<20, -1<<20)), ""},
		"memory that is taken early": {measured(minute, Memory, early), ""},
		"a peak of memory":           {measured(minute, Memory, peak), ""},
		"a MiB a sample":             {measured(minute, Memory, slope(5<<20, 1<<20)), "memory of it rose from 20.0 MiB to 40.0 MiB"},
		"the same in a short run":    {measured(second, Memory, slope(5<<20, 1<<20)), ""},
		"descriptors that swing":     {measured(second, Descriptors, wave(15)), ""},
		"a descriptor a sample":      {measured(second, Descriptors, slope(15, 1)), "descriptors of it rose from 30.0 to 50.0"},
		"a disk that fills up":       {measured(minute, Disk, slope(0, 1<<20)), "disk of it rose from 15.0 MiB to 35.0 MiB"},
		"a disk that is cleaned":     {measured(minute, Disk, wave(10<<20)), ""},
		"files that nobody removes":  {measured(minute, Files, slope(0, 100)), "files of it rose from 1500.0 to 3500.0"},
		"answers that come late":     {measured(minute, AtMost, slope(0, 1)), ""},
		"descriptors never known":    {measured(minute, Descriptors, unknown), ""},
		"descriptors often unknown":  {measured(second, Descriptors, often), "descriptors of it rose from 30.0 to 50.0"},
	} {
		if got := strings.Join(tt.record.Grown(), "; "); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestGrown_FewSamplesSayNothing(t *testing.T) {
	t.Parallel()
	r := &Record{}
	for i := range 7 {
		r.Begin(time.Duration(i) * time.Hour)
		r.Set(Descriptors, "it", float64(i*1000))
	}
	if got := r.Grown(); got != nil {
		t.Errorf("got %q", got)
	}
}

// twoProcesses is a record in which one series begins later, and another is not known at a time.
func twoProcesses() *Record {
	r := &Record{}
	for i := range 4 {
		r.Begin(time.Duration(i) * 1500 * time.Millisecond)
		r.Set(Memory, "worker", float64(i)*(1<<20))
		if i != 2 {
			r.Set(Usually, "answer <&>", 0.004)
		}
		if i > 0 {
			r.Set(Memory, "writer", 1<<19)
		}
	}
	return r
}

func TestCSV_HasALineForEachSample(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := twoProcesses().CSV(&b); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	want := [][]string{
		{"seconds", "memory of worker", "latency, p50 of answer <&>", "memory of writer"},
		{"0.000", "0", "0.004", ""},
		{"1.500", "1.048576e+06", "0.004", "524288"},
		{"3.000", "2.097152e+06", "", "524288"},
		{"4.500", "3.145728e+06", "0.004", "524288"},
	}
	if err != nil || !slices.EqualFunc(lines, want, slices.Equal) {
		t.Errorf("got %q (%v), want %q", lines, err, want)
	}
}

func TestSVG_DrawsEachSeriesInThePanelOfItsKind(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := twoProcesses().SVG(&b); err != nil {
		t.Fatal(err)
	}
	var paths []string
	var texts string
	for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v:\n%s", err, b.String())
		}
		switch token := token.(type) {
		case xml.StartElement:
			for _, a := range token.Attr {
				if a.Name.Local == "d" {
					paths = append(paths, a.Value)
				}
			}
		case xml.CharData:
			texts += string(token) + "\n"
		}
	}
	want := []string{
		"M70.0 160.0L310.0 116.7L550.0 73.3L790.0 30.0", // from the bottom to the top
		"M310.0 138.3L550.0 138.3L790.0 138.3",
		"M70.0 210.0L310.0 210.0M790.0 210.0", // of the next panel, with a gap
	}
	if !slices.Equal(paths, want) {
		t.Errorf("paths are %q, want %q", paths, want)
	}
	for _, text := range []string{
		"memory", "3.0 MiB", "5s", "worker", "writer", "latency, p50", "4.0 ms", "answer <&>",
	} {
		if !strings.Contains(texts, text+"\n") {
			t.Errorf("%q is not among its texts: %q", text, texts)
		}
	}
}

func TestProcess_OfThisOne(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("needs /proc")
	}
	memory, before, err := Process(os.Getpid())
	if err != nil || memory < 64<<10 || before < 3 {
		t.Fatal(memory, before, err)
	}
	const more = 50 // other tests open files as well
	for range more {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	if _, after, err := Process(os.Getpid()); err != nil || after < before+more/2 {
		t.Errorf("%d descriptors were open, and %d more are: got %d, %v", before, more, after, err)
	}
	if _, _, err := Process(math.MaxInt32); err == nil {
		t.Error("of no process it tells something")
	}
}

func TestDirectory_AddsUpWhatIsBelow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	err := errors.Join(
		os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700),
		os.WriteFile(filepath.Join(dir, "a", "b", "x"), make([]byte, 100), 0o600),
		os.WriteFile(filepath.Join(dir, "a", "y"), make([]byte, 23), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if bytes, files, err := Directory(dir); bytes != 123 || files != 2 || err != nil {
		t.Errorf("got %d bytes in %d files, %v; want 123 in 2", bytes, files, err)
	}
	if bytes, files, err := Directory(filepath.Join(dir, "none")); bytes != 0 || files != 0 || err != nil {
		t.Errorf("of none: got %d bytes in %d files, %v", bytes, files, err)
	}
}
