package plugins

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// labelled is the number of values of a list that a label names.
const labelled = 8

// OneOf joins a list of which one value holds: "a, b or c". It shortens long lists.
func OneOf(list []string) string { return words(list, "or") }

// AllOf joins a list of which all values hold: "a, b and c". It shortens long lists.
func AllOf(list []string) string { return words(list, "and") }

func words(list []string, last string) string {
	if len(list) > labelled+1 {
		return fmt.Sprintf("%s %s %d more", strings.Join(list[:labelled], ", "), last, len(list)-labelled)
	}
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	end := len(list) - 1
	return strings.Join(list[:end], ", ") + " " + last + " " + list[end]
}

// maxLabel is where servers cut a label, in characters.
const maxLabel = 1000

// oneLine returns a label without line breaks and other control characters, cut
// where servers would.
func oneLine(label string) string {
	label = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, label))
	if runes := []rune(label); len(runes) > maxLabel {
		return string(runes[:maxLabel-1]) + "…"
	}
	return label
}

// describe makes a label of a title and what is set in args: "Paid traffic:
// channel search or social, at least 3".
func describe(title string, args any) string {
	var parts []string
	addParts(&parts, reflect.ValueOf(args))
	if len(parts) == 0 {
		return title
	}
	return title + ": " + strings.Join(parts, ", ")
}

func addParts(parts *[]string, of reflect.Value) {
	if of.Kind() != reflect.Struct {
		*parts = append(*parts, text(of))
		return
	}
	fields := of.Type()
	for i := range fields.NumField() {
		field := fields.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "" && field.Type.Kind() == reflect.Struct:
			addParts(parts, of.Field(i))
		case !field.IsExported() || name == "-" || of.Field(i).IsZero():
		default:
			if name == "" {
				name = field.Name
			}
			*parts = append(*parts, spaced(name)+" "+text(of.Field(i)))
		}
	}
}

func text(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		return text(v.Elem())
	case reflect.Slice:
		list := make([]string, v.Len())
		for i := range list {
			list[i] = text(v.Index(i))
		}
		return OneOf(list)
	}
	return fmt.Sprint(v.Interface())
}

// spaced returns a camelCase name as words.
func spaced(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
