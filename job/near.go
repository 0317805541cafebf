package job

import "strings"

// nearest returns the known name that name was probably meant to be, "" if there is none: one that
// differs in case, hyphens or underscores only, or by up to a third of its letters, at most three
// (max_retry for max_retries). A name of three letters is near to too many words for that.
func nearest(name string, known []string) string {
	const most = 3
	best, bestDistance := "", most+1
	plain := letters(name)
	for _, k := range known {
		want := letters(k)
		allowed := min(len(want)/3, most)
		if len(want) <= 3 {
			allowed = 0
		}
		if max(len(plain)-len(want), len(want)-len(plain)) > allowed {
			continue // and so a long name costs nothing
		}
		if d := editDistance(plain, want); d <= allowed && d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

var plainer = strings.NewReplacer("_", "", "-", "", " ", "")

func letters(name string) string { return plainer.Replace(strings.ToLower(name)) }

// editDistance counts the bytes to insert, delete, replace or swap with their neighbour that make b
// of a: https://en.wikipedia.org/wiki/Damerau–Levenshtein_distance, optimal string alignment.
func editDistance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
