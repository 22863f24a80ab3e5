package model

import (
	"errors"
	"fmt"
	"time"
)

// Code tells machines the kind of an Error. The graph shows it as extensions.code.
type Code string

const (
	BadInput           Code = "BAD_USER_INPUT"
	NotFound           Code = "NOT_FOUND"
	Conflict           Code = "CONFLICT"
	FailedPrecondition Code = "FAILED_PRECONDITION"
	Unauthenticated    Code = "UNAUTHENTICATED"
	Forbidden          Code = "FORBIDDEN"
	Unavailable        Code = "UNAVAILABLE"
	ResourceExhausted  Code = "RESOURCE_EXHAUSTED"
	Internal           Code = "INTERNAL"
)

// Error is the only error whose text a client may see. All other errors are internal:
// they are logged, and the client gets a request id instead.
type Error struct {
	Code Code
	// Field is the input path at fault ("filters[0].country.is[1]"), or empty.
	Field string
	// Message tells a person what was wrong and what to do.
	Message string
	// Progress is the share, 0 to 1, of the work done that the answer waits for; nil if
	// it waits for nothing.
	Progress *float64
	// RetryAfter is how long it makes no sense to ask again; zero where that makes no difference.
	RetryAfter time.Duration
	// Cause is only logged, and never shown.
	Cause error
}

func (e *Error) Error() string {
	if e.Field != "" {
		return e.Field + ": " + e.Message
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Cause }

// Errorf returns an Error with the code and the formatted message.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid returns a BadInput error about one input field.
func Invalid(field, format string, args ...any) *Error {
	return &Error{Code: BadInput, Field: field, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of the first Error in err's chain, Internal for any
// other error, and the empty code for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// Under returns err with prefix before its field path. It returns errors of other types
// unchanged.
func Under(prefix string, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	moved := *e
	switch {
	case e.Field == "":
		moved.Field = prefix
	case e.Field[0] == '[':
		moved.Field = prefix + e.Field
	default:
		moved.Field = prefix + "." + e.Field
	}
	return &moved
}
