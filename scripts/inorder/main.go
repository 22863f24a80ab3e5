// Command inorder has generated code marshal those lists in order whose elements wait for nothing. gqlgen starts a goroutine
// for each element of every list, so that their resolvers can wait together. Where there are none below a list, that
// only keeps others from the processors. See package graph/list.
//
//	inorder FILE
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: inorder FILE")
		os.Exit(2)
	}
	text, err := os.ReadFile(os.Args[1])
	if err == nil {
		text, err = rewrite(text)
	}
	if err == nil {
		err = os.WriteFile(os.Args[1], text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "inorder:", err)
		os.Exit(1)
	}
}

const (
	// concurrent is gqlgen's call for a list; its arguments after the length are a limit of goroutines and a switch.
	concurrent = "MarshalSliceConcurrently"
	// waiting is its call for a field of an object that has a resolver.
	waiting = "Concurrently"
	inOrder = "list.Marshal"
	imports = "\t\"github.com/99designs/gqlgen/graphql\"\n"
	listing = imports + "\t\"github.com/goalgraph/goalgraph/graph/list\"\n"
)

// method is a method of the generated code.
type method struct {
	calls map[string]bool // names of those that it calls, or gives to others to be called
	waits bool            // for a resolver
	lists []*ast.CallExpr // calls of concurrent
}

// rewrite returns generated code with the calls replaced. The error says that it is not as gqlgen writes it.
func rewrite(text []byte) ([]byte, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	methods := map[string]*method{}
	for _, declared := range file.Decls {
		if f, ok := declared.(*ast.FuncDecl); ok && f.Recv != nil {
			methods[f.Name.Name] = read(f)
		}
	}
	var out bytes.Buffer
	copied, replaced := 0, 0
	copyTo := func(end int) {
		out.Write(text[copied:end])
		copied = end
	}
	for _, declared := range file.Decls { // in the order of the file
		f, ok := declared.(*ast.FuncDecl)
		if !ok || f.Recv == nil || waits(methods, f.Name.Name, map[string]bool{}) {
			continue
		}
		for _, call := range methods[f.Name.Name].lists {
			if len(call.Args) != 5 {
				return nil, fmt.Errorf("%s has %d arguments, and not the context, the length, a limit, a switch and a function", concurrent, len(call.Args))
			}
			offset := func(at token.Pos) int { return files.Position(at).Offset }
			copyTo(offset(call.Fun.Pos()))
			out.WriteString(inOrder)
			copied = offset(call.Fun.End())
			copyTo(offset(call.Args[1].End()))
			copied = offset(call.Args[3].End())
			replaced++
		}
	}
	copyTo(len(text))
	if replaced == 0 {
		return nil, fmt.Errorf("no list whose elements wait for nothing calls %s", concurrent)
	}
	return format.Source(bytes.Replace(out.Bytes(), []byte(imports), []byte(listing), 1))
}

// read tells what a method does.
func read(f *ast.FuncDecl) *method {
	m := &method{calls: map[string]bool{}}
	ast.Inspect(f, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if name, ok := call.Fun.(*ast.SelectorExpr); ok && name.Sel.Name == concurrent {
				m.lists = append(m.lists, call)
			}
		}
		if name, ok := n.(*ast.SelectorExpr); ok {
			m.calls[name.Sel.Name] = true
			m.waits = m.waits || name.Sel.Name == waiting
		}
		return true
	})
	return m
}

// waits tells whether a method, or one that it calls, waits for a resolver. Seen are those that were asked about.
func waits(methods map[string]*method, name string, seen map[string]bool) bool {
	m := methods[name]
	if m == nil || seen[name] {
		return false
	}
	seen[name] = true
	if m.waits {
		return true
	}
	for called := range m.calls {
		if waits(methods, called, seen) {
			return true
		}
	}
	return false
}
