"""Schemas that WSDLs import by addresses that are not ours to call: they are the same everywhere, so they are here.

Only what messages are written by: an element's type, and the attributes that there can be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_XML: Final = """\
<schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/XML/1998/namespace">
  <attribute name="lang" type="language"/>
  <attribute name="space" type="NCName"/>
  <attribute name="base" type="anyURI"/>
  <attribute name="id" type="ID"/>
</schema>
"""
"""The attributes that XML itself has (XML 1.0, sections 2.10 and 2.12; XML Base; xml:id)."""

_ENCODING: Final = "http://schemas.xmlsoap.org/soap/encoding/"
_ENCODED: Final = (
    *("string", "boolean", "byte", "short", "int", "long", "integer", "decimal", "float", "double"),
    *("date", "time", "dateTime", "base64Binary", "hexBinary", "anyURI", "QName"),
)
_SOAP_ENCODING: Final = f"""\
<schema xmlns="http://www.w3.org/2001/XMLSchema" xmlns:e="{_ENCODING}" targetNamespace="{_ENCODING}">
  <attribute name="root" type="boolean"/>
  <attribute name="arrayType" type="string"/>
  <attribute name="offset" type="string"/>
  <attribute name="position" type="string"/>
  <attributeGroup name="commonAttributes">
    <attribute name="id" type="ID"/>
    <attribute name="href" type="anyURI"/>
  </attributeGroup>
  <attributeGroup name="arrayAttributes">
    <attribute ref="e:arrayType"/>
    <attribute ref="e:offset"/>
  </attributeGroup>
  <group name="Array"><sequence><any namespace="##any" minOccurs="0" maxOccurs="unbounded"/></sequence></group>
  <complexType name="Array">
    <group ref="e:Array" minOccurs="0"/>
    <attributeGroup ref="e:arrayAttributes"/>
    <attributeGroup ref="e:commonAttributes"/>
  </complexType>
  {"".join(f'<simpleType name="{name}"><restriction base="{name}"/></simpleType>' for name in _ENCODED)}
</schema>
"""
"""Arrays and simple types of SOAP's encoding (SOAP 1.1, section 5); what attributes these may have is left out."""

KNOWN: Final[Mapping[str, bytes]] = {
    "http://www.w3.org/2001/xml.xsd": _XML.encode(),
    "https://www.w3.org/2001/xml.xsd": _XML.encode(),
    _ENCODING: _SOAP_ENCODING.encode(),
}
"""The schemas, by the places where they are looked for."""
