package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// localZone returns the name of this machine's time zone; Local if it cannot be found out. A schedule keeps it: it does
// not move with the machine, nor with the variable TZ of a worker. A TZ that means nothing is refused: package time would
// take it for UTC without a word.
func localZone() (string, error) {
	tz, set := os.LookupEnv("TZ")
	given := tz
	switch tz = strings.TrimPrefix(tz, ":"); {
	case !set:
		if name := zoneOfFile("/etc/localtime"); name != "" {
			return name, nil
		}
		if _, offset := time.Now().Zone(); offset == 0 && time.Local.String() == "UTC" {
			return "UTC", nil
		}
		return "Local", nil
	case tz == "":
		return "UTC", nil // as for time.Local
	case isZone(tz):
		return tz, nil
	}
	if name := zoneOfFile(tz); name != "" {
		return name, nil
	}
	return "", invalid(fmt.Sprintf("the variable TZ is %q, which is no time zone's name", given), "name the zone of the schedule with --tz, such as --tz Europe/Zurich")
}

// zoneOfFile returns the name of the zone that a file of the machine's data base describes, "" if that cannot be told.
func zoneOfFile(path string) string {
	if !filepath.IsAbs(path) {
		return ""
	}
	for range 2 { // it, and what it links to
		if _, name, found := strings.Cut(filepath.ToSlash(path), "zoneinfo/"); found && isZone(name) {
			return name
		}
		path, _ = os.Readlink(path)
	}
	return ""
}

// isZone says whether there is a zone of this name.
func isZone(name string) bool {
	_, err := time.LoadLocation(name)
	return err == nil && name != "" && name != "Local"
}
