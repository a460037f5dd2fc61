//go:build !amd64 && !arm64

package lowlevel

// stay does nothing here: the low-level runtime waits.
func stay(string) {}
