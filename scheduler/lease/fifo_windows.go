package lease

import (
	"errors"
	"os"
)

// makeFIFO: Windows has no FIFO in a directory.
func makeFIFO(string) (*os.File, error) { return nil, nil }

func openFIFO(string) (*os.File, error) { return nil, errors.ErrUnsupported }
