package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/queuectl/queuectl/eventlog"
)

type backupCmd struct {
	File  string `arg:"" placeholder:"FILE" help:"Where to write it; - writes it to stdout."`
	Force bool   `help:"Replace a file that is there."`
}

// Help is shown below the usage line.
func (backupCmd) Help() string {
	return `The whole log, as it is at this moment, in one file: every job and everything that ever happened to it.
Workers may go on meanwhile. All of it is verified while it is written; of a damaged log there is no
backup. The file is a tar file compressed with zstd, and 'queuectl restore' knows if it is whole.

What jobs printed is not in it, but for the end of the output that is in the log. Who wants to keep it
copies the directory 'output' of the queue.

Examples:

  queuectl backup queue.tar.zst
  queuectl backup "$(date +%F).tar.zst" -o json
  queuectl backup - | ssh elsewhere 'cat > queue.tar.zst'`
}

// backupView is a backup as JSON.
type backupView struct {
	File     *string  `json:"file"` // null: a stream
	Time     string   `json:"time"`
	LogID    string   `json:"log_id"`
	Head     headView `json:"head"`
	Segments int      `json:"segments"`
	Bytes    int64    `json:"bytes"`
}

// Run backs up.
func (c *backupCmd) Run(ctx context.Context, s *session) error {
	opt := eventlog.BackupOptions{Progress: s.progress("Backed up")}
	if c.File == "-" {
		if s.out.terminal {
			return usage("a backup is not for a terminal", "name a file, or send it to a program: queuectl backup - | wc -c")
		}
		_, err := eventlog.Backup(ctx, s.dir, s.out, opt)
		return err
	}
	info, err := eventlog.BackupFile(ctx, s.dir, eventlog.BackupPath{Path: c.File, Force: c.Force}, opt)
	if errors.Is(err, fs.ErrExist) {
		return &failure{
			exit: exitFailed, code: "file_exists", message: c.File + " is there already",
			hint: "nothing was changed; choose another name, or replace it with --force",
		}
	}
	if dir := filepath.Dir(c.File); errors.Is(err, fs.ErrNotExist) && !isDir(dir) {
		return &failure{exit: exitFailed, code: "no_file", message: "there is no directory " + dir, hint: "no backup was made; make the directory first"}
	}
	if errors.Is(err, eventlog.ErrDiskFull) {
		return &failure{exit: exitFailed, code: "disk_full", err: err, hint: "no backup was made; free some space where " + c.File + " goes"}
	}
	if err != nil {
		return err
	}
	switch {
	case s.quiet:
	case s.format.machine():
		return s.document(viewBackup(c.File, info))
	default:
		s.printf("Backed up to %s", c.File)
		s.fields(
			[2]string{"events", fmt.Sprint(info.Head.Position)},
			[2]string{"size", fmt.Sprintf("%s, and %s in the log", sizeOfFile(c.File), size(info.Bytes))},
			[2]string{"head", headWords(info.Head)},
		)
	}
	return nil
}

func viewBackup(file string, info eventlog.BackupInfo) backupView {
	v := backupView{
		Time: time.Unix(0, info.Time).UTC().Format(time.RFC3339Nano), LogID: hex.EncodeToString(info.ID[:]),
		Head: viewHead(info.Head), Segments: info.Segments, Bytes: info.Bytes,
	}
	if file != "-" {
		abs, err := filepath.Abs(file)
		if err != nil {
			abs = file
		}
		v.File = &abs
	}
	return v
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// sizeOfFile is for people: what cannot be known is not worth an error.
func sizeOfFile(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "?"
	}
	return size(info.Size())
}
