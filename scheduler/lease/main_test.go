package lease

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "role" {
		play(os.Args[2:]) // as another process of a test
	}
	os.Exit(m.Run())
}
