package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// VerifyOptions are preferences; the zero value checks the log by what is in it alone.
type VerifyOptions struct {
	// Heads were noted elsewhere when they were those of this log, so that the log must contain them.
	Heads []Pin
	// Progress is told the bytes read and the bytes in all, from time to time. nil = nobody is.
	Progress func(done, total int64)
	// Visit is passed each sound commit, also behind damage. The Entry is valid until it returns; its error ends Verify.
	// nil = nobody wants them.
	Visit func(*Entry) error
}

// Report is what Verify found.
type Report struct {
	ID       LogID
	Head     Head   // of the longest sound prefix
	Durable  Commit // known durable
	Segments int
	Events   uint64          // in all sound frames, also behind damage
	Bytes    int64           // of all segments
	Base     *BaseCheck      // what the log begins with; nil = its first commit, or neither file of the base is sound
	Repairs  int             // files and directories in quarantine
	Torn     *Repair         // an unfinished frame at the end: the next writer cuts it; nil = none
	Damage   []*CorruptError // empty = sound
	Gaps     []Gap           // what the damage hides, in order
	Heads    []PinCheck      // one for each of VerifyOptions.Heads, in their order
}

// Sound says that nothing is wrong: no damage, and all heads that were asked for are in the log.
func (r *Report) Sound() bool {
	for _, h := range r.Heads {
		if h.Verdict != PinFound {
			return false
		}
	}
	return len(r.Damage) == 0
}

// Verify checks every frame of the log in dir: lengths, checksums, numbers, hash chain, the names
// of the segments, both files of the base, and that nothing is missing that is known to have been durable.
// After damage it goes on with the next whole frame. It changes nothing and takes no lock, except for a
// second look at a tail that seems bad; memory stays bounded by the largest frame.
//
// Damage is in the Report; the error is what kept Verify from its work: ErrNoLog, ErrNotOurs,
// ErrNewer, ErrPruned if that happened meanwhile, that of ctx, or of a file that cannot be opened.
func Verify(ctx context.Context, dir string, opt VerifyOptions) (*Report, error) {
	id, err := readFormat(dir)
	if err != nil {
		return nil, err
	}
	v := newVerifier(newDirSource(dir, id), id)
	v.progress, v.passEntry, v.pins = opt.Progress, opt.Visit, newPins(opt.Heads)
	if err := v.prepare(); err != nil {
		return nil, err
	}
	var bad []*CorruptError
	if v.report.Base, bad, err = checkBase(dir, id); err != nil {
		return nil, err
	}
	if v.report.Base != nil && v.report.Base.Head.Commit >= v.begins {
		return nil, errMeanwhile
	}
	v.report.Damage = append(v.report.Damage, bad...)
	if v.report.Repairs, err = countFiles(filepath.Join(dir, quarantineDir)); err != nil {
		return nil, err
	}
	if err := v.run(ctx); err != nil {
		return nil, err
	}
	hidden := v.gap != nil && v.gap.Damage[0].Row != 2 // or else what is missing is not there at all
	v.report.Heads = v.pins.checks(v.last, hidden)
	return &v.report, nil
}

func countFiles(dir string) (int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("count repairs: %w", err)
	}
	return len(entries), nil
}

// Gap is a part of the log that cannot be read, or that does not continue what is before it.
type Gap struct {
	After  Head            // of the last sound commit before it; Commit 0 = there is none
	Commit Commit          // the first sound commit behind it; 0 = there is none
	First  Position        // of that commit's first event
	Damage []*CorruptError // what was found, in order; at least one
}

// Missing returns the first and the last position that are missing in the gap. last is 0 if nothing
// sound follows, so that it is not known; first is higher than last if nothing is missing.
func (g *Gap) Missing() (first, last Position) {
	if g.Commit == 0 {
		return g.After.Position + 1, 0
	}
	return g.After.Position + 1, g.First - 1
}

// Salvage passes all sound commits of the log in dir to fn, in order, also those behind damage, and
// each gap between them to gap. The Entry is valid until fn returns. What it reads may not be
// durable yet, and behind a gap nothing shows that it continues what was before. It reads as Verify
// does; its error is that of fn or gap, or what kept it from its work.
func Salvage(ctx context.Context, dir string, fn func(*Entry) error, gap func(Gap) error) error {
	id, err := readFormat(dir)
	if err != nil {
		return err
	}
	v := newVerifier(newDirSource(dir, id), id)
	v.passEntry, v.passGap = fn, gap
	if err := v.prepare(); err != nil {
		return err
	}
	return v.run(ctx)
}
