// Checks a proof of the history with the packages of the Go project alone.
//
// Usage: verify FILE PUBLIC_KEY
package main

import (
	"encoding/base64"
	"encoding/json"
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

func main() {
	content, err := os.ReadFile(os.Args[1])
	must(err)
	verifier, err := note.NewVerifier(os.Args[2])
	must(err)
	parts := strings.SplitN(string(content), "\n\n", 2)
	lines := strings.Split(parts[0], "\n")

	opened, err := note.Open([]byte(parts[1]), note.VerifierList(verifier))
	must(err)
	checkpoint := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(checkpoint[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(checkpoint[2])
	must(err)

	encoded, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	must(err)
	var extra struct{ Leaf string }
	must(json.Unmarshal(encoded, &extra))
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	must(err)
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		must(err)
		proof = append(proof, hash)
	}
	leaf := append([]byte{1}, extra.Leaf...)
	must(tlog.CheckRecord(proof, size, root, index, tlog.RecordHash(leaf)))
	fmt.Printf("%s %d %d\n", checkpoint[0], size, index)
}
