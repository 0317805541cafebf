package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/queuectl/queuectl/internal/disk"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// sizes are those of the parts of a queue's directory, in bytes.
type sizes struct {
	segments, sealed, archives, snapshot, quarantine, output int64
	outputs                                                  int // files
}

// log is the size of the whole log.
func (s *sizes) log() int64 { return s.segments + s.sealed + s.archives }

// measure adds up the files of each part. What vanishes meanwhile does not count.
func measure(dir string) (s *sizes, err error) {
	s = &sizes{}
	for _, part := range []struct {
		name string
		into *int64
	}{
		{"log", &s.segments},
		{"sealed", &s.sealed},
		{"archive", &s.archives},
		{"snapshot", &s.snapshot},
		{"quarantine", &s.quarantine},
		{"output", &s.output},
	} {
		err := filepath.WalkDir(filepath.Join(dir, part.name), func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || entry.IsDir() {
				return err
			}
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			*part.into += info.Size()
			if part.name == "output" {
				s.outputs++
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// measured returns why a check has no sizes to look at, nil if there are.
func (v *visit) measured() error {
	if err := v.there(); err != nil || v.bytes != nil {
		return err
	}
	return errors.New("not all of it may be read")
}

// size says how large the directory is, part by part.
func (v *visit) size(context.Context) error {
	if err := v.measured(); err != nil {
		return err
	}
	s := v.bytes
	v.say(OK, fmt.Sprintf("log %s, archives %s, snapshots %s, output %s", words(s.segments+s.sealed), words(s.archives), words(s.snapshot), words(s.output)), "")
	return nil
}

// plenty says that so many bytes are worth to be freed: there are many of them, or not many are free.
func (v *visit) plenty(bytes, many int64) bool {
	s, known, err := disk.SpaceOf(v.near)
	const share = 4 // a quarter of what is free
	return bytes > many || err == nil && known && uint64(bytes) > s.Free/share
}

// output looks what jobs have printed, and how much of that could go.
func (v *visit) output(context.Context) error {
	if err := v.measured(); err != nil {
		return err
	}
	ended := 0
	for _, state := range []job.State{job.Completed, job.Cancelled, job.Dead} {
		ended += v.status.Counts[state]
	}
	message := fmt.Sprintf("%s in %s", words(v.bytes.output), plural(v.bytes.outputs, "file", "files"))
	if v.q != nil {
		message += "; " + plural(ended, "job has ended, and can leave the queue with what it", "jobs have ended, and can leave the queue with what they") + " printed"
	}
	const many = 256 << 20
	if v.plenty(v.bytes.output, many) {
		v.say(Note, message, "'queuectl clean --dry-run' says how many would go; the settings retention_completed and output_max keep it small")
		return nil
	}
	v.say(OK, message, "")
	return nil
}

// archive looks what could be compressed, and what could be pruned.
func (v *visit) archive(ctx context.Context) error {
	if err := v.measured(); err != nil {
		return err
	}
	list, err := queue.Prunable(ctx, v.opt.Dir, queue.Moment{})
	if err != nil {
		return err
	}
	const manySealed, manyArchived = 32 << 20, 1 << 30
	switch {
	case v.plenty(v.bytes.sealed, manySealed):
		v.say(Note, words(v.bytes.sealed)+" of the log could be compressed, to about a sixth", "'queuectl log archive' does so at once; workers do from time to time")
	case len(list) > 0 && v.plenty(v.bytes.archives, manyArchived):
		oldest := time.Unix(0, list[0].Time)
		v.say(Note, fmt.Sprintf("%s of archives could be pruned, the oldest of %s", words(v.bytes.archives), oldest.UTC().Format(time.DateOnly)),
			"'queuectl log prune --before 365d --dry-run' says what would go; 'queuectl backup' keeps it")
	default:
		v.say(OK, fmt.Sprintf("%s of the log are not compressed yet; %s could be pruned", words(v.bytes.sealed), words(v.bytes.archives)), "")
	}
	return nil
}

// words prints a number of bytes in the largest unit that leaves at least 1.
func words(bytes int64) string { return bytesWords(uint64(max(0, bytes))) }

func bytesWords(bytes uint64) string {
	const step = 1024
	units := strings.Fields("B KiB MiB GiB TiB PiB EiB")
	n, unit := float64(bytes), 0
	for n >= step && unit < len(units)-1 {
		n /= step
		unit++
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %s", n, units[unit])
}

// round rounds a duration to three digits.
func round(d time.Duration) time.Duration {
	if d <= 0 {
		return d
	}
	digits := int(math.Log10(float64(d)))
	return d.Round(time.Duration(math.Pow10(max(0, digits-2))))
}
