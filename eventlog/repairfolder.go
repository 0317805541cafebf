package eventlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A repair has a folder of its own in quarantine:
//
//	quarantine/repair-1/unfinished.json                    what is to be done: a piece on each line
//	quarantine/repair-1/repair.json                        the same file, when it is done
//	quarantine/repair-1/00000000000000000421-8192          of a segment that stays, what was from 8192 on
//	quarantine/repair-1/sealed-00000000000000000398        a whole file, which was in sealed
//	quarantine/repair-1/durable                            what the D file said
//
// One that was interrupted is taken up again by the next repair, unless other bytes go now.
const (
	repairPrefix = "repair-"
	repairBegun  = "unfinished.json"
	repairDone   = "repair.json"
)

type repairFolder struct {
	s    *dirStore
	name string // in quarantine
	path string
}

// folded is the name of a piece in the folder.
func (p *Piece) folded() string {
	switch name := filepath.Base(p.Path); p.kind {
	case pieceRest:
		return fmt.Sprintf("%s-%d", name, p.Offset) // wherever the segment is
	case pieceWhole:
		return filepath.Base(filepath.Dir(p.Path)) + "-" + name
	default:
		return name
	}
}

func (d repairFolder) place(p Piece) string { return filepath.Join(d.path, p.folded()) }

// repairFolder returns the folder for a repair of these pieces, and makes it if need be.
func (s *dirStore) repairFolder(pieces []Piece) (repairFolder, error) {
	quarantine := filepath.Join(s.dir, quarantineDir)
	if err := s.makeDir(quarantine); err != nil {
		return repairFolder{}, err
	}
	d := repairFolder{s: s}
	for n := 1; ; n++ {
		next := repairFolder{s: s, name: fmt.Sprint(repairPrefix, n)}
		next.path = filepath.Join(quarantine, next.name)
		_, err := os.Lstat(next.path)
		if err == nil {
			d = next
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return d, fmt.Errorf("make directory: %w", err)
		}
		if d.fits(pieces) {
			return d, s.disk.syncDir(quarantine)
		}
		s.disk.at(pointMake)
		if err := os.Mkdir(next.path, 0o700); err != nil {
			return d, fmt.Errorf("make directory: %w", err)
		}
		return next, s.disk.syncDir(quarantine)
	}
}

// fits says that the folder is of a repair that was interrupted, and that nothing in it is in the way
// of what goes now: a copy may be made again of the same bytes, and if it was never finished, so that
// nothing was cut off either.
func (d repairFolder) fits(pieces []Piece) bool {
	if d.name == "" {
		return false
	}
	if _, err := os.Lstat(filepath.Join(d.path, repairDone)); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	noted, _ := d.read(repairBegun) // or else nothing was done
	for _, r := range noted {
		for _, p := range pieces {
			same := p.kind != pieceWhole && p.Size == r.Size && p.CRC == r.CRC
			if r.Quarantine == d.name+"/"+p.folded() && d.has(r) && !same {
				return false
			}
		}
	}
	return true
}

// note writes down what will be done. What an earlier attempt has done stays in it.
func (d repairFolder) note(pieces []Piece) error {
	list := make([]Repair, 0, len(pieces))
	for _, p := range pieces {
		list = append(list, p.Repair)
	}
	before, _ := d.read(repairBegun) // mostly there was none
	for _, r := range before {
		again := false
		for _, now := range list {
			again = again || now.Quarantine == r.Quarantine
		}
		if !again && d.has(r) {
			list = append(list, r)
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, r := range list {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	temp := filepath.Join(d.path, repairBegun+".new")
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := d.s.writeFile(temp, b.Bytes()); err != nil {
		return err
	}
	d.s.disk.at(pointRename)
	if err := os.Rename(temp, filepath.Join(d.path, repairBegun)); err != nil {
		return err
	}
	return d.s.disk.syncDir(d.path)
}

func (d repairFolder) done() error {
	d.s.disk.at(pointRename)
	if err := os.Rename(filepath.Join(d.path, repairBegun), filepath.Join(d.path, repairDone)); err != nil {
		return err
	}
	return d.s.disk.syncDir(d.path)
}

// read returns the pieces that a file of the folder names.
func (d repairFolder) read(name string) (list []Repair, err error) {
	f, err := os.Open(filepath.Join(d.path, name))
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	for dec := json.NewDecoder(f); ; {
		var r Repair
		if err := dec.Decode(&r); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return list, err
		}
		list = append(list, r)
	}
}

// has says if a piece has come to the folder, whole.
func (d repairFolder) has(r Repair) bool {
	path := d.file(r)
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return err == nil
	}
	size, crc, err := fileChecksum(path)
	return err == nil && size == r.Size && crc == r.CRC
}

func (d repairFolder) file(r Repair) string {
	return filepath.Join(d.s.dir, quarantineDir, filepath.FromSlash(r.Quarantine))
}

// taken returns the pieces that this repair has taken out of the log.
func (d repairFolder) taken() (taken []Repair) {
	list, err := d.read(repairDone)
	if err == nil {
		return list
	}
	list, _ = d.read(repairBegun) // what cannot be read now is left to the next process
	for _, r := range list {
		if d.has(r) && !d.stays(r) {
			taken = append(taken, r)
		}
	}
	return taken
}

// stays says that a piece was copied, and is still in its file, too.
func (d repairFolder) stays(r Repair) bool {
	if name := filepath.Base(r.Quarantine); name != r.Segment && name != fmt.Sprintf("%s-%d", r.Segment, r.Offset) {
		return false // it was not copied
	}
	for _, dir := range []string{logDir, sealedDir} {
		f, err := os.Open(filepath.Join(d.s.dir, dir, r.Segment))
		if err != nil {
			continue
		}
		sum := crc32.New(castagnoli)
		n, err := io.Copy(sum, io.NewSectionReader(f, r.Offset, r.Size))
		f.Close() // only read
		if err == nil && n == r.Size && sum.Sum32() == r.CRC {
			return true
		}
	}
	return false
}
