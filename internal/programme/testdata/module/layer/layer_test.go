package layer

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var (
	things = flag.Int("layer.things", 1, "")
	seed   = flag.Uint64("layer.seed", 1, "")
)

func TestThings_AreSound(t *testing.T) {
	t.Logf("effort: things=%d, others=2", *things)
	t.Logf("note: %d is a seed", *seed)
	if *seed%2 == 0 {
		dir, err := os.MkdirTemp("", "things-")
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "evidence"), nil, 0o600)
		}
		t.Errorf("seed %d is even (%v)", *seed, err)
	}
}

func TestMoon_IsFull(t *testing.T) {
	t.Skip("needs a full moon")
}

func TestNothing_IsCounted(*testing.T) {}

func TestPicture_IsDrawn(t *testing.T) {
	t.Logf("effort: things=%d", *things)
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), "picture"), nil, 0o600); err != nil {
		t.Error(err)
	}
}
