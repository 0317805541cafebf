package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/queuectl/queuectl/internal/disk"
	"github.com/queuectl/queuectl/internal/storm"
	"github.com/queuectl/queuectl/job"
)

// selftestView is what a selftest came to, as JSON.
type selftestView struct {
	Sound      bool    `json:"sound"`
	Seed       uint64  `json:"seed"`
	Seconds    float64 `json:"seconds"`
	Directory  string  `json:"directory"`
	Kept       bool    `json:"kept"`
	FileSystem *string `json:"file_system"` // null: not known

	Killed struct {
		Writers int `json:"writers"`
		Workers int `json:"workers"`
		Others  int `json:"others"`
	} `json:"killed"`
	Acknowledged int    `json:"acknowledged"`
	Shown        int    `json:"shown"`
	Jobs         int    `json:"jobs"`
	Runs         int    `json:"runs"`
	LostRuns     int    `json:"runs_lost"`
	Events       uint64 `json:"events"`
	Bytes        int64  `json:"bytes"`

	Lost       []string      `json:"lost"`
	Overlaps   []overlapView `json:"overlaps"`
	Unfinished []string      `json:"unfinished"`
	Unseen     []string      `json:"unseen"`
	Orphans    []string      `json:"orphans"`
	Left       []string      `json:"left_files"`
	Damage     []badRegion   `json:"damage"`

	Reclaim latencyView `json:"reclaim_seconds"`
	Answer  latencyView `json:"answer_seconds"`
	Sync    latencyView `json:"sync_seconds"`
}

type overlapView struct {
	Job string       `json:"job"`
	Run job.Position `json:"run"`
	How string       `json:"how"`
}

// latencyView is null where there is no value.
type latencyView struct {
	Count int      `json:"count"`
	P50   *float64 `json:"p50"`
	P99   *float64 `json:"p99"`
	Max   *float64 `json:"max"`
}

func viewLatency(s disk.Spread) latencyView {
	if s.N == 0 {
		return latencyView{}
	}
	return latencyView{s.N, new(s.P50.Seconds()), new(s.P99.Seconds()), new(s.Max.Seconds())}
}

func viewSelftest(o storm.Outcome, seed uint64, took time.Duration) selftestView {
	v := selftestView{
		Sound: o.Sound(), Seed: seed, Seconds: took.Seconds(), Directory: string(o.Place), Kept: o.Kept, FileSystem: optional(o.Mount.Kind),
		Acknowledged: o.Acknowledged, Shown: o.Shown, Jobs: o.Jobs, Runs: o.Runs, LostRuns: o.LostRuns, Events: o.Events, Bytes: o.Bytes,
		Lost: listed(o.Lost), Overlaps: []overlapView{}, Unfinished: listed(o.Unfinished), Unseen: listed(o.Unseen),
		Orphans: listed(o.Orphans), Left: listed(o.Left), Damage: viewDamage(o.Damage),
		Reclaim: viewLatency(o.Reclaim), Answer: viewLatency(o.Answer), Sync: viewLatency(o.Sync),
	}
	v.Killed.Writers, v.Killed.Workers, v.Killed.Others = o.WritersKilled, o.WorkersKilled, o.OthersKilled
	for _, overlap := range o.Overlaps {
		v.Overlaps = append(v.Overlaps, overlapView{overlap.Job, overlap.Run, overlap.How})
	}
	return v
}

// listed is a list that is [] in JSON when it is empty, never null.
func listed(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// printSelftest prints it: for programs, or the verdict first and then the figures.
func printSelftest(s *session, v selftestView) error {
	switch {
	case s.quiet:
		return nil
	case s.format.machine():
		return s.document(v)
	}
	verdict := s.paint(green, "Nothing was lost, and nothing ran twice at once.")
	if !v.Sound {
		verdict = s.paint(red, "This machine does not keep what queuectl promises, or queuectl does not.")
	}
	s.printf("%s", verdict)
	where := v.Directory
	if v.FileSystem != nil {
		where += " (" + *v.FileSystem + ")"
	}
	if !v.Kept {
		where += ", removed"
	}
	s.fields(
		[2]string{"directory", plain(where)},
		[2]string{"seed", fmt.Sprint(v.Seed)},
		[2]string{"killed", fmt.Sprintf("%s, %s, %s in %s", count(v.Killed.Writers, "writer"), count(v.Killed.Workers, "worker"), count(v.Killed.Others, "other"), job.FormatDuration(seconds(v.Seconds)))},
		[2]string{"acknowledged", fmt.Sprintf("%s, and %s shown to readers", count(v.Acknowledged, "job"), count(v.Shown, "commit"))},
		[2]string{"lost", found(v.Lost)},
		[2]string{"run twice at once", found(overlapWords(v.Overlaps))},
		[2]string{"not completed", found(v.Unfinished)},
		[2]string{"completed unseen", found(v.Unseen)},
		[2]string{"orphans left", found(v.Orphans)},
		[2]string{"files left", found(v.Left)},
		[2]string{"log", logWords(v)},
		[2]string{"runs", fmt.Sprintf("%d, of which %d were lost with their worker", v.Runs, v.LostRuns)},
		[2]string{"found lost after", latencyWords(v.Reclaim)},
		[2]string{"answered after", latencyWords(v.Answer)},
		[2]string{"sync", latencyWords(v.Sync)},
	)
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// found is the number of what should not be, and the first few of them.
func found(list []string) string {
	const most = 5
	words := fmt.Sprint(len(list))
	for i, item := range list {
		if i == most {
			return words + fmt.Sprintf("\n… and %d more", len(list)-most)
		}
		words += "\n" + plain(item)
	}
	return words
}

func overlapWords(list []overlapView) (words []string) {
	for _, o := range list {
		words = append(words, storm.Overlap{Job: o.Job, Run: o.Run, How: o.How}.String())
	}
	return words
}

func logWords(v selftestView) string {
	words := fmt.Sprintf("%d events in %s, sound", v.Events, size(v.Bytes))
	if len(v.Damage) > 0 {
		words = "damaged in " + count(len(v.Damage), "place")
	}
	return words
}

// latencyWords are the quantiles of durations, "-" if there was none.
func latencyWords(v latencyView) string {
	if v.Count == 0 {
		return "-"
	}
	return fmt.Sprintf("p50 %s, p99 %s", threeDigits(seconds(*v.P50)), threeDigits(seconds(*v.P99)))
}

// selftestVerdict is the error of an outcome that is not sound.
func selftestVerdict(o storm.Outcome) error {
	if o.Sound() {
		return nil
	}
	var what []string
	for _, part := range []struct {
		n          int
		thing, how string
	}{
		{len(o.Lost), "answer", "lost"},
		{len(o.Overlaps), "run", "at the same time as another of its job"},
		{len(o.Unfinished), "job", "not completed"},
		{len(o.Unseen), "completion", "that no command has seen"},
		{len(o.Orphans), "orphan", "left"},
		{len(o.Left), "file", "left"},
		{len(o.Damage), "place", "of the log damaged"},
	} {
		if part.n > 0 {
			what = append(what, count(part.n, part.thing)+" "+part.how)
		}
	}
	return &failure{
		exit: exitFailed, code: "selftest_failed", message: "the selftest has failed: " + strings.Join(what, ", "),
		hint: "everything is kept in " + string(o.Place) + "; 'queuectl doctor' looks at the disk, and what is kept belongs into a report",
	}
}
