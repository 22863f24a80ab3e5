package builtin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// device matches the kind of device.
func device() plugins.Type {
	return plugins.Of(deviceFilter{plugins.ChoiceFilter{
		Description: plugins.Description{
			Name:        "device",
			Title:       "Device",
			Description: "Sessions by kind of device. Merging keeps what both filters allow.",
			Rule:        plugins.Intersection,
			SDL: `
"Sessions by kind of device. Give is, isNot or both. Merge rule INTERSECTION."
input DeviceFilter {
  "One of these kinds."
  is: [DeviceKind!]
  "None of these kinds. An unknown device matches."
  isNot: [DeviceKind!]
}
"A kind of device."
enum DeviceKind {
  "Computers with a keyboard."
  DESKTOP
  "Phones."
  MOBILE
  "Tablets."
  TABLET
  "Everything else: televisions, consoles, watches, programs."
  OTHER
}`,
			Input:     "DeviceFilter",
			Dimension: filter.Device,
		},
		Values: deviceKinds{},
	}})
}

type deviceFilter struct{ plugins.ChoiceFilter }

// Label words the kinds in lower case.
func (f deviceFilter) Label(args plugins.Choice) string {
	return plugins.Choice{Is: lower(args.Is), IsNot: lower(args.IsNot)}.Label(f.Title)
}

func lower(list []string) []string {
	list = slices.Clone(list)
	for i, value := range list {
		list[i] = strings.ToLower(value)
	}
	return list
}

// deviceKinds are the values of the enum DeviceKind.
type deviceKinds struct{ plugins.Exact }

// Normal refuses what is not a kind.
func (deviceKinds) Normal(value string) (string, error) {
	switch value {
	case "DESKTOP", "MOBILE", "TABLET", "OTHER":
		return value, nil
	}
	return "", fmt.Errorf("%q is not a kind of device; use DESKTOP, MOBILE, TABLET or OTHER", value)
}
