package policy

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// The units that a policy:"..." tag may name.
const (
	bytesUnit = "bytes" // 512MiB, 2G, 1073741824
	milliUnit = "milli" // CPUs in thousandths: 1, 0.5, 500m
	octalUnit = "octal" // permission bits: "0022"
	bitsUnit  = "bits"  // bits in a second: 100Mbit, 1Gbit, 8000
)

var errNumber = errors.New("not a number")

func unitName(unit string) string {
	switch unit {
	case bytesUnit:
		return "a size such as 512MiB"
	case milliUnit:
		return "a number of CPUs such as 1, 0.5 or 500m"
	case octalUnit:
		return "permission bits in octal such as 0022"
	case bitsUnit:
		return "bits in a second such as 100Mbit, 8kbit at least"
	}
	return "a whole number in range"
}

func number(s, unit string) (int64, error) {
	switch unit {
	case bytesUnit:
		return size(s)
	case milliUnit:
		return milli(s)
	case bitsUnit:
		return rate(s)
	case octalUnit:
		return strconv.ParseInt(strings.TrimPrefix(s, "0o"), 8, 64)
	}
	return strconv.ParseInt(s, 10, 64)
}

// leastRate is the lowest rate that lets a full packet through in a second or
// so.
const leastRate = 8000

// rate reads bits in a second. k, M and G are powers of 1000, as tc(8) has
// them.
func rate(s string) (int64, error) {
	digits := strings.TrimRight(s, "kKMGbit")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, errNumber
	}
	scale := int64(1)
	switch s[len(digits):] {
	case "", "bit":
	case "kbit", "Kbit":
		scale = 1e3
	case "Mbit":
		scale = 1e6
	case "Gbit":
		scale = 1e9
	default:
		return 0, errNumber
	}
	if n > math.MaxInt64/scale || n*scale < leastRate {
		return 0, errNumber
	}
	return n * scale, nil
}

// size reads bytes. K, M, G and T are powers of 1024 with or without iB or B,
// as Docker's users write them.
func size(s string) (int64, error) {
	digits := strings.TrimRight(s, "KMGTiBkmgtb")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 {
		return 0, errNumber
	}
	shift := 0
	switch strings.ToLower(s[len(digits):]) {
	case "", "b":
	case "k", "kb", "kib":
		shift = 10
	case "m", "mb", "mib":
		shift = 20
	case "g", "gb", "gib":
		shift = 30
	case "t", "tb", "tib":
		shift = 40
	default:
		return 0, errNumber
	}
	if n > math.MaxInt64>>shift {
		return 0, errNumber
	}
	return n << shift, nil
}

func milli(s string) (int64, error) {
	if m, ok := strings.CutSuffix(s, "m"); ok {
		n, err := strconv.ParseInt(m, 10, 64)
		if err != nil || n <= 0 {
			return 0, errNumber
		}
		return n, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0.001) || f > 1e6 {
		return 0, errNumber
	}
	return int64(math.Round(f * 1000)), nil
}

// nearest is the name with the smallest edit distance to s, or "" where none
// is near.
func nearest(s string, names []string) string {
	best, at := "", 3
	for _, n := range names {
		if d := distance(strings.ToLower(s), strings.ToLower(n)); d < at {
			best, at = n, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := diagonal
			if a[i] != b[j] {
				next = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
