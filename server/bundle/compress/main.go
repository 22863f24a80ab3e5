// Command compress replaces every file of a folder by its gzip, but for HTML pages, which the server fills in.
//
// It stands in for the bundler's own compression because Go's gives the same bytes on every processor: the committed files can be
// compared with a new build.
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: compress FOLDER")
		os.Exit(2)
	}
	if err := filepath.WalkDir(os.Args[1], compress); err != nil {
		fmt.Fprintln(os.Stderr, "compress:", err)
		os.Exit(1)
	}
}

func compress(path string, entry fs.DirEntry, err error) error {
	if err != nil || entry.IsDir() || filepath.Ext(path) == ".html" || filepath.Ext(path) == ".gz" {
		return err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(path+".gz", out.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Remove(path)
}
