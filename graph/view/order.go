package view

// SortDirection says which elements of a list come first.
type SortDirection string

// The directions of an order: the least first, and the greatest first.
const (
	Ascending  SortDirection = "ASCENDING"
	Descending SortDirection = "DESCENDING"
)

// OrderField is what a list is ordered by. Each kind of list has some of them.
type OrderField string

// What lists are ordered by.
const (
	ByCreation OrderField = "CREATED_AT"
	ByUpdate   OrderField = "UPDATED_AT"
	ByName     OrderField = "NAME"
)

// Order is the order of a list.
type Order struct {
	By        OrderField
	Direction SortDirection
}
