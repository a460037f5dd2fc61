// Command site makes static pages of README.md and docs/*.md.
//
// usage: site [-root DIR] -out DIR
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	root := flag.String("root", "../..", "the root of the repository")
	out := flag.String("out", "", "the directory to write to; it is made anew")
	flag.Parse()
	if *out == "" {
		flag.Usage()
		os.Exit(2)
	}
	n, err := write(*root, *out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
	fmt.Printf("site: %d pages in %s\n", n, *out)
}
