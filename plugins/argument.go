package plugins

import (
	"fmt"
	"strconv"
)

// ArgumentError says what is wrong with a filter's arguments.
type ArgumentError struct {
	// Path leads to the argument at fault ("is[0]"). It is empty if the filter as a whole is.
	Path string
	// Message says what is wrong and what to do, in words for a person.
	Message string
}

func (e *ArgumentError) Error() string {
	if e.Path == "" {
		return e.Message
	}
	return e.Path + ": " + e.Message
}

// ArgError returns an ArgumentError about the argument at path; "" is the filter as a whole.
func ArgError(path, format string, args ...any) error {
	return &ArgumentError{Path: path, Message: fmt.Sprintf(format, args...)}
}

// Under appends a path to the path it is under.
func Under(prefix, path string) string {
	if prefix == "" || path == "" || path[0] == '[' {
		return prefix + path
	}
	return prefix + "." + path
}

// At returns the path of the i-th element of the list at path: "is[0]".
func At(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
