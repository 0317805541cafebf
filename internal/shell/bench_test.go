//go:build unix

package shell

import (
	"os/exec"
	"testing"
)

// The raw bound is a loop of os/exec. Both are run in one benchmark call, so that their ratio means something on a machine
// whose speed drifts.
func BenchmarkStart(b *testing.B) {
	run := func(c Command) func(*testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				p, err := Start(c)
				if err != nil {
					b.Fatal(err)
				}
				if r := p.Result(); r.Exit != 0 {
					b.Fatalf("%+v", r)
				}
			}
		}
	}
	raw := func(argv ...string) func(*testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				if err := exec.Command(argv[0], argv[1:]...).Run(); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	env := []string{"PATH=/usr/local/bin:/usr/bin:/bin"}
	out := b.TempDir() + "/1/out.log"
	lock := lease(b).File()
	b.Run("argv/raw", raw("true"))
	b.Run("argv/queuectl", run(Command{Argv: []string{"true"}, Env: env, Output: out, OutputMax: 64 << 20, Lease: lock}))
	b.Run("shell/raw", raw("/bin/sh", "-c", "true"))
	b.Run("shell/queuectl", run(Command{Line: "true", Env: env, Output: out, OutputMax: 64 << 20, Lease: lock}))
}
