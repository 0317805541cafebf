package queuetest_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"testing"

	"pgregory.net/rapid"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

// histories is how many random histories the model test tries, unless -rapid.checks says otherwise.
const histories = "2000"

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given && !testing.Short() {
		if err := flag.Set("rapid.checks", histories); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// TestQueue_BehavesAsTheModel is the project's own model test. The handler does what its payload says
// for each run in turn, so that histories are drawn and not random.
func TestQueue_BehavesAsTheModel(t *testing.T) {
	queuetest.Check(t, queuetest.Harness{
		Handlers: map[string]queue.Handler{"script": func(_ context.Context, j job.Job) error {
			var script []string
			if err := json.Unmarshal(j.Spec.Payload, &script); err != nil {
				return err
			}
			switch script[int(j.Runs-1)%len(script)] {
			case "fail":
				return errors.New("failed as scripted")
			case "panic":
				panic("panicked as scripted")
			}
			return nil
		}},
		Payload: func(t *rapid.T, _ string) []byte {
			step := rapid.SampledFrom([]string{"succeed", "fail", "fail", "panic"})
			script, err := json.Marshal(rapid.SliceOfN(step, 1, 4).Draw(t, "script"))
			if err != nil {
				t.Fatal(err)
			}
			return script
		},
	})
}
