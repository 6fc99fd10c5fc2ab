#pragma once

#include <string>
#include <vector>

#include "report/charts.h"
#include "report/records.h"

// Pages and pictures in HTML and SVG. Layouts and styles are files of share/report/, as text.
namespace kvsplit::report {

/// A chart as gnuplot drew it, in SVG, with a name, a description, ids of its own and picture.css.
/// It can stand by itself and in a page. Error: it is cut off.
std::string finished(std::string svg, const Chart& chart, const std::string& style);

/// A page that needs no other file. layout: page.html; pictures: those of the charts.
std::string page(std::string layout, const Results& results, const std::vector<Chart>& charts,
                 const std::vector<std::string>& pictures);

/// A picture that moves for five seconds: the memory of the first cache and of one beside it (K8V4,
/// or else the first of the same engine), growing with a count of tokens up to what their bytes
/// have room for. It ends with the records' figures. layout: animation.svg; two records or more.
std::string animation(std::string layout, Records records);

}  // namespace kvsplit::report
