# CPack has put together what is to be packed: manuals and changelogs are compressed, and everything is as
# old as the sources, so that the same sources make the same packages.
set(root ${CPACK_TEMPORARY_DIRECTORY})
function(for_each_file)
  execute_process(COMMAND find ${root} ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

for_each_file(-path */share/man/*.[1-9] -exec gzip --best --no-name {} +)
for_each_file(-path */share/doc/*/changelog* ! -name *.gz -exec gzip --best --no-name {} +)
if(DEFINED ENV{SOURCE_DATE_EPOCH})
  for_each_file(-exec touch --no-dereference --date=@$ENV{SOURCE_DATE_EPOCH} {} +)
endif()
