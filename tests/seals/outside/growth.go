// Checks with the packages of the Go project alone that a log begins with an older one.
//
// Usage: growth FILE CHECKPOINT PUBLIC_KEY
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// tree returns the tree of a signed checkpoint.
func tree(content string, verifier note.Verifier) (int64, tlog.Hash) {
	opened, err := note.Open([]byte(content), note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)
	return size, root
}

func main() {
	verifier, err := note.NewVerifier(os.Args[3])
	must(err)
	content, err := os.ReadFile(os.Args[1])
	must(err)
	parts := strings.SplitN(string(content), "\n\n", 2)
	var proof tlog.TreeProof
	for _, line := range strings.Split(parts[0], "\n")[1:] {
		hash, err := tlog.ParseHash(line)
		must(err)
		proof = append(proof, hash)
	}
	older, err := os.ReadFile(os.Args[2])
	must(err)
	size, root := tree(parts[1], verifier)
	oldSize, oldRoot := tree(string(older), verifier)
	must(tlog.CheckTree(proof, size, root, oldSize, oldRoot))
	fmt.Printf("%d begins with %d\n", size, oldSize)
}
