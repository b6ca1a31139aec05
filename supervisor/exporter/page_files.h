// The files of supervisor/exporter/page, which are part of the program: what pages have beside themselves.
#pragma once

#include <span>
#include <string_view>

namespace graced {

struct PageFile {
  std::string_view path;  // "/page.css"
  std::string_view type;  // for Content-Type
  std::string_view text;
};

std::span<const PageFile> page_files();  // written by page_files.cmake

const PageFile* find_page_file(std::string_view path);  // nullptr: none

}  // namespace graced
