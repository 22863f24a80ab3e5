// Package view holds the objects of the graph that are made for one answer:
// pages of lists, goal cards and funnels. What they leave out, and what costs
// something, the resolvers of package graph fill in where it is selected.
package view
