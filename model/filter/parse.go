package filter

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of what Parse takes.
const (
	MaxText  = 1 << 20 // bytes
	MaxDepth = 64
	MaxStars = 64 // in one glob
)

// Parse reads a predicate in its text form. The error names the position, in
// bytes from 0, and what was expected there.
func Parse(text string) (Expr, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("predicate of %d bytes; the most is %d", len(text), MaxText)
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("predicate is not valid UTF-8")
	}
	p := parser{text: text}
	expr, err := p.expr(0)
	if err == nil && p.space() && p.at < len(text) {
		err = p.errorf("the end")
	}
	if err != nil {
		return nil, err
	}
	return expr, nil
}

type parser struct {
	text string
	at   int
}

func (p *parser) errorf(expected string) error {
	found := p.text[p.at:]
	if len(found) > 20 {
		found = strings.ToValidUTF8(found[:20], "") + "…"
	}
	return fmt.Errorf("predicate: position %d: expected %s, found %q", p.at, expected, found)
}

func (p *parser) space() bool {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	return true
}

func (p *parser) take(token string) bool {
	if p.space() && strings.HasPrefix(p.text[p.at:], token) {
		p.at += len(token)
		return true
	}
	return false
}

// word takes everything up to a space or a bracket.
func (p *parser) word() string {
	p.space()
	end := strings.IndexAny(p.text[p.at:], " \t\r\n()[]\"")
	if end < 0 {
		end = len(p.text) - p.at
	}
	word := p.text[p.at : p.at+end]
	p.at += end
	return word
}

func (p *parser) expr(depth int) (Expr, error) {
	if depth > MaxDepth {
		return nil, p.errorf(fmt.Sprintf("at most %d levels", MaxDepth))
	}
	if !p.take("(") {
		start := p.at
		switch p.word() {
		case "true":
			return Bool(true), nil
		case "false":
			return Bool(false), nil
		}
		p.at = start
		return nil, p.errorf("true, false or (")
	}
	start := p.at
	var expr Expr
	var err error
	switch head := p.word(); head {
	case "and":
		var parts []Expr
		parts, err = p.exprs(depth)
		expr = And(parts)
	case "or":
		var parts []Expr
		parts, err = p.exprs(depth)
		expr = Or(parts)
	case "not":
		var part Expr
		part, err = p.expr(depth + 1)
		expr = Not{part}
	case "in":
		expr, err = p.in()
	case "glob":
		expr, err = p.glob()
	case "within":
		expr, err = p.within()
	case "range":
		expr, err = p.numbers()
	case "computed":
		var key string
		key, err = p.string()
		expr = Computed{key}
	case "assigned":
		expr, err = p.assigned()
	default:
		p.at = start
		err = p.errorf("and, or, not, in, glob, within, range, computed or assigned")
	}
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, p.errorf(")")
	}
	return expr, nil
}

func (p *parser) exprs(depth int) ([]Expr, error) {
	var parts []Expr
	for p.space() && p.at < len(p.text) && p.text[p.at] != ')' {
		part, err := p.expr(depth + 1)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func (p *parser) in() (Expr, error) {
	field, err := p.field("a text field", One, Many)
	if err != nil {
		return nil, err
	}
	values, err := p.strings()
	return In{field, values}, err
}

func (p *parser) assigned() (Expr, error) {
	experiment, err := p.string()
	if err != nil {
		return nil, err
	}
	variants, err := p.strings()
	return Assigned{experiment, variants}, err
}

func (p *parser) glob() (Expr, error) {
	field, err := p.field("a text field", One, Many)
	if err != nil {
		return nil, err
	}
	p.space()
	start := p.at
	pattern, err := p.string()
	if err != nil {
		return nil, err
	}
	if stars := strings.Count(pattern, "*"); stars > MaxStars {
		p.at = start
		return nil, p.errorf(fmt.Sprintf("a pattern of at most %d stars", MaxStars))
	}
	return Glob{field, pattern}, nil
}

func (p *parser) within() (Expr, error) {
	p.space()
	begin := p.at
	field, err := p.field("the field ip", One)
	if err != nil {
		return nil, err
	}
	if field != IP {
		p.at = begin
		return nil, p.errorf("the field ip")
	}
	within := Within{Field: field}
	for p.space() && p.at < len(p.text) && p.text[p.at] != ')' {
		start := p.at
		block, err := netip.ParsePrefix(p.word())
		if err != nil || block.Masked() != block || block.Addr().Is4In6() {
			p.at = start
			return nil, p.errorf("an address block such as 10.0.0.0/8")
		}
		within.Blocks = append(within.Blocks, block)
	}
	return within, nil
}

func (p *parser) numbers() (Expr, error) {
	field, err := p.field("a number field", Number)
	if err != nil {
		return nil, err
	}
	low, err := p.end(math.Inf(-1))
	if err != nil {
		return nil, err
	}
	high, err := p.end(math.Inf(1))
	if err != nil {
		return nil, err
	}
	return Range{field, low, high}, nil
}

func (p *parser) end(open float64) (float64, error) {
	p.space()
	start := p.at
	word := p.word()
	if word == "_" {
		return open, nil
	}
	n, err := strconv.ParseFloat(word, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		p.at = start
		return 0, p.errorf("a number or _")
	}
	return n + 0, nil // -0 becomes 0
}

func (p *parser) field(expected string, kinds ...Kind) (Field, error) {
	p.space()
	start := p.at
	field := Field{Name: p.word()}
	if p.at < len(p.text) && p.text[p.at] == '[' {
		p.at++
		key, err := p.string()
		if err != nil {
			return Field{}, err
		}
		if !p.take("]") {
			return Field{}, p.errorf("]")
		}
		field.Key = key
	}
	for _, kind := range kinds {
		if field.Kind() == kind {
			return field, nil
		}
	}
	p.at = start
	return Field{}, p.errorf(expected)
}

// strings takes all strings that follow.
func (p *parser) strings() (list []string, err error) {
	for p.space() && p.at < len(p.text) && p.text[p.at] == '"' {
		value, err := p.string()
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	return list, nil
}

func (p *parser) string() (string, error) {
	if !p.take(`"`) {
		return "", p.errorf("a string")
	}
	start := p.at - 1
	for ; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case '\\':
			p.at++
		case '"':
			p.at++
			var value string
			if json.Unmarshal([]byte(p.text[start:p.at]), &value) == nil {
				return value, nil
			}
			p.at = start
			return "", p.errorf("a string in JSON's syntax")
		}
	}
	p.at = start
	return "", p.errorf("a string that ends")
}
