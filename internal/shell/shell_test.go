package shell
import ("testing";"os")
func lockedFile(tb testing.TB) *os.File { f, err := os.CreateTemp(tb.TempDir(), ""); if err != nil { tb.Fatal(err) }; return f }
