package job

import "strings"

// Quote writes a program and its arguments as one line that a POSIX shell reads as the same words.
// It is for people, and how jobs with argv show their command.
func Quote(argv []string) string {
	var line strings.Builder
	for i, arg := range argv {
		if i > 0 {
			line.WriteByte(' ')
		}
		if arg != "" && !strings.ContainsFunc(arg, needsQuotes) && (i > 0 || !strings.Contains(arg, "=")) {
			line.WriteString(arg)
			continue
		}
		line.WriteByte('\'')
		line.WriteString(strings.ReplaceAll(arg, "'", `'\''`))
		line.WriteByte('\'')
	}
	return line.String()
}

func needsQuotes(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("_-+=./:,@%", r)
}
